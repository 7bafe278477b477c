// A commit: the precommit votes that make a block final, and the bytes that each validator signs.
//
// A validator signs the canonical form of its vote: the length, then a CanonicalVote message of type, height, round,
// block id, the vote's own time and the chain id. Height and round have a fixed size and are left out when 0 (CometBFT,
// types/canonical.go).
#pragma once

#include <optional>
#include <vector>

#include "crypto/identity.h"
#include "lightclient/header.h"

namespace planetserve::lightclient {

enum class VoteType : std::uint8_t { unknown = 0, prevote = 1, precommit = 2 };

enum class BlockIdFlag : std::uint8_t {
    absent = 1,  // no vote arrived
    commit = 2,  // a vote for this block; only these votes count
    nil = 3,     // a vote for no block
};

struct CommitSignature {
    BlockIdFlag flag = BlockIdFlag::absent;
    Address validator;                         // zero for an absent vote
    Timestamp time = Timestamp::zero_in_go();  // by the validator's clock
    crypto::Signature signature;               // zero for an absent vote

    bool operator==(const CommitSignature&) const = default;
};

// One signature for each validator, in the order of the validator set.
struct Commit {
    std::int64_t height = 0;
    std::int32_t round = 0;
    BlockId block_id;
    std::vector<CommitSignature> signatures;

    bool operator==(const Commit&) const = default;
};

struct Vote {
    VoteType type = VoteType::precommit;
    std::int64_t height = 0;
    std::int32_t round = 0;
    std::optional<BlockId> block_id;  // empty: a vote for no block
    Timestamp time;
};

// The bytes that a validator signs for a vote.
Bytes sign_bytes(const Vote& vote, std::string_view chain_id);
// The bytes that the validator at an index signed. REQUIRES: index < commit.signatures.size(), and the vote is not
// absent.
Bytes sign_bytes(const Commit& commit, std::size_t index, std::string_view chain_id);

}  // namespace planetserve::lightclient
