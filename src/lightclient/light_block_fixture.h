// Light blocks for tests: generated and signed, or read from CometBFT's JSON.
#pragma once

#include <boost/json.hpp>

#include "lightclient/light_block.h"

namespace planetserve::lightclient {

// --- generated ---

// The validators of a chain, with their secret keys.
struct Committee {
    std::vector<crypto::Identity> identities;
    std::vector<std::int64_t> powers;

    static Committee make(Random& random, std::size_t count, std::int64_t power = 10);
    ValidatorSet set() const;
    const crypto::Identity& identity(const NodeId& key) const;
};

struct BlockMaker {
    std::string chain_id = "test-chain";
    Timestamp genesis_time{1'700'000'000, 5};

    // Makes a block whose time is `height` seconds after the genesis. The first `signers` validators of the set sign it
    // (all by default). Another text gives another block of the same height.
    LightBlock make(std::int64_t height, const Committee& now, const Committee& next, std::string_view text = {},
                    std::size_t signers = SIZE_MAX) const;
    Timestamp time(std::int64_t height) const { return {genesis_time.seconds + height, genesis_time.nanos}; }
};

// Signs a block again after a test changed its header.
void sign_all(LightBlock& block, const Committee& committee, std::size_t signers = SIZE_MAX);

// --- from JSON, as in tendermint-rs's model-based tests and in answers of CometBFT's RPC ---

Timestamp timestamp_from_json(const boost::json::value& value);
Header header_from_json(const boost::json::value& value);
Commit commit_from_json(const boost::json::value& value);
// Fails where ValidatorSet::make does, for example for an empty set.
Result<ValidatorSet> validators_from_json(const boost::json::value& value);

}  // namespace planetserve::lightclient
