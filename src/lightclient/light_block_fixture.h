// Light blocks for tests: made and signed here, or read from CometBFT's JSON.
#pragma once

#include <boost/json.hpp>

#include "lightclient/light_block.h"

namespace planetserve::lightclient {

// --- made here ---

// Validators with their secrets, as a chain's committee.
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

    // A block of a height, a second a height after the genesis, signed by those validators whose index in the set is
    // below signers (all by default). The text makes it another block of the same height.
    LightBlock make(std::int64_t height, const Committee& now, const Committee& next, std::string_view text = {},
                    std::size_t signers = SIZE_MAX) const;
    Timestamp time(std::int64_t height) const { return {genesis_time.seconds + height, genesis_time.nanos}; }
};

// Signs a block anew after its header was changed.
void sign_all(LightBlock& block, const Committee& committee, std::size_t signers = SIZE_MAX);

// --- from JSON, as in tendermint-rs's model-based tests and in answers of CometBFT's RPC ---

Timestamp timestamp_from_json(const boost::json::value& value);
Header header_from_json(const boost::json::value& value);
Commit commit_from_json(const boost::json::value& value);
// An error for a set that is not allowed, as an empty one.
Result<ValidatorSet> validators_from_json(const boost::json::value& value);

}  // namespace planetserve::lightclient
