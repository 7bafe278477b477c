// CometBFT's home directory: what its files say for a validator of our genesis. All of it follows from the genesis, the
// node's key and these options, so that every validator derives the same chain, and is written anew at each start; all
// but data/, which is CometBFT's own, above all priv_validator_state.json: it remembers what the key has voted for, and
// a validator that forgets that can be made to vote twice.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "committee/genesis.h"
#include "crypto/identity.h"

namespace planetserve::adapters {

// For an engine without blocks of its own: from which others it asks for headers, and one that is trusted. Its registry
// then comes as a snapshot.
struct StateSync {
    std::vector<std::string> servers;  // two at least: other validators' RPC, "unix:///path" or "http://host:port"
    std::int64_t height = 0;
    std::string hash;  // of the block of that height, 64 hex digits
};

struct CometbftHome {
    std::filesystem::path path;
    std::filesystem::path abci_socket;  // where the application listens
    std::filesystem::path rpc_socket;   // where CometBFT is asked
    Endpoint listen;                    // for the other validators' engines
    std::optional<StateSync> state_sync = std::nullopt;
};

// config/genesis.json.
std::string engine_genesis(const committee::Genesis& genesis);
// config/config.toml. REQUIRES: the genesis names the validator.
std::string engine_config(const committee::Genesis& genesis, const NodeId& self, const CometbftHome& home);
// config/priv_validator_key.json: the validator's key is the node's.
std::string engine_validator_key(const crypto::Identity& identity);
// config/node_key.json, for links between engines: the same key, so that the genesis says whom to expect.
std::string engine_node_key(const crypto::Identity& identity);
// How an engine's links name a validator: the first 20 bytes of the SHA-256 of its key, in hex.
std::string engine_node_id(const NodeId& validator);

// Writes the files above, and makes data/ with a state of no votes where there is no data at all. Fails where only that
// state is missing, saying what to do.
Status prepare_cometbft_home(const committee::Genesis& genesis, const crypto::Identity& identity,
                             const CometbftHome& home);

}  // namespace planetserve::adapters
