// A commit: the precommit votes that made a block final, and what each validator signed.
//
// A vote is signed over its canonical form: the length, then a CanonicalVote message of type, height, round (both of
// fixed size, and left out when 0), block id, the vote's own time and the chain id (CometBFT, types/canonical.go).
#pragma once

#include <optional>
#include <vector>

#include "crypto/identity.h"
#include "lightclient/header.h"

namespace planetserve::lightclient {

enum class VoteType : std::uint8_t { unknown = 0, prevote = 1, precommit = 2 };

enum class BlockIdFlag : std::uint8_t {
    absent = 1,  // no vote came
    commit = 2,  // for this block: the only votes that count
    nil = 3,     // for no block
};

struct CommitSignature {
    BlockIdFlag flag = BlockIdFlag::absent;
    Address validator;                         // zero where absent
    Timestamp time = Timestamp::zero_in_go();  // the validator's own
    crypto::Signature signature;               // zero where absent

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
    std::optional<BlockId> block_id;  // nothing: a vote for no block
    Timestamp time;
};

// What a validator signs of a vote.
Bytes sign_bytes(const Vote& vote, std::string_view chain_id);
// What the validator at an index signed. REQUIRES: index < commit.signatures.size(), and the vote is not absent.
Bytes sign_bytes(const Commit& commit, std::size_t index, std::string_view chain_id);

}  // namespace planetserve::lightclient
