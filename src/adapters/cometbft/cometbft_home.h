// CometBFT's home directory: its files for a validator of our genesis.
//
// The files follow from the genesis, the node's key and these options, so every validator derives the same chain. They
// are written again at each start. Only data/ is CometBFT's own. Its priv_validator_state.json remembers the votes of
// the key; a validator without it can be made to vote twice.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "committee/genesis.h"
#include "crypto/identity.h"

namespace planetserve::adapters {

// For a CometBFT without blocks: the validators that it asks for headers, and one trusted header. Its registry then
// comes as a snapshot.
struct StateSync {
    std::vector<std::string> servers;  // at least two: other validators' RPC, "unix:///path" or "http://host:port"
    std::int64_t height = 0;
    std::string hash;  // of the block of that height, 64 hex digits
};

struct CometbftHome {
    std::filesystem::path path;
    std::filesystem::path abci_socket;  // where the application listens
    std::filesystem::path rpc_socket;   // where CometBFT answers
    Endpoint listen;                    // for the other validators
    std::optional<StateSync> state_sync = std::nullopt;
};

// config/genesis.json.
std::string cometbft_genesis(const committee::Genesis& genesis);
// config/config.toml. Requires: the genesis names the validator.
std::string cometbft_config(const committee::Genesis& genesis, const NodeId& self, const CometbftHome& home);
// config/priv_validator_key.json: the validator's key is the node's.
std::string cometbft_validator_key(const crypto::Identity& identity);
// config/node_key.json, for links between CometBFTs: the same key, so that the genesis names the peers.
std::string cometbft_node_key(const crypto::Identity& identity);
// A validator's name on those links: the first 20 bytes of the SHA-256 of its key, in hex.
std::string cometbft_node_id(const NodeId& validator);

// Writes the files above. Where there is no data at all, makes data/ with a state of no votes. Fails where only that
// state is missing, and says what to do.
Status prepare_cometbft_home(const committee::Genesis& genesis, const crypto::Identity& identity,
                             const CometbftHome& home);

}  // namespace planetserve::adapters
