// What an epoch's leader asked and was answered, so that every verifier can score it (docs/protocols/verification.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/hash.h"
#include "scoring/signed_answer.h"
#include "verification/challenge_plan.h"
#include "verification_agent/challenge.h"

namespace planetserve::verification_agent {

struct TranscriptEntry {
    NodeId asked;
    std::uint32_t index = 0;
    std::string model = {};
    std::optional<scoring::SignedAnswer> answer = std::nullopt;  // none came

    bool operator==(const TranscriptEntry&) const = default;
};

struct Transcript {
    static constexpr std::size_t largest = 768 << 10;  // in bytes; what does not fit is left out by the leader

    std::uint64_t epoch = 0;
    std::vector<TranscriptEntry> entries = {};  // by node, then index, each once

    bool operator==(const Transcript&) const = default;
};

Bytes serialise(const Transcript& transcript);
// malformed: not such bytes, out of order, too large. Signatures are not verified.
Result<Transcript> parse_transcript(ByteView bytes);
// What the leader's report says of it.
crypto::Digest digest_of(ByteView serialised);

// The id of the request that puts a challenge, from which its nonce follows: nobody can choose it.
IdempotencyId request_id(const ChallengeSeed& seed);
// The same of the request by which a second verifier asks who gave the leader no answer.
IdempotencyId recheck_id(const ChallengeSeed& seed);

// Whether the entries are those of the plan and the answers what they have to be: to the challenge that the plan asks
// for, with its nonce, signed by a node of the network.
// invalid_argument or authentication, with what is wrong.
Status check(const Transcript& transcript, const verification::ChallengePlan& plan, const PromptPool& pool);

}  // namespace planetserve::verification_agent
