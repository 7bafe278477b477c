// The leader's challenges of an epoch and the answers, so that every verifier can score them
// (docs/protocols/verification.md).
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
    std::optional<scoring::SignedAnswer> answer = std::nullopt;  // none arrived

    bool operator==(const TranscriptEntry&) const = default;
};

struct Transcript {
    static constexpr std::size_t largest = 768 << 10;  // in bytes; the leader leaves out what does not fit

    std::uint64_t epoch = 0;
    std::vector<TranscriptEntry> entries = {};  // by node, then index, each once

    bool operator==(const Transcript&) const = default;
};

Bytes serialise(const Transcript& transcript);
// Error: malformed when the bytes do not parse, are out of order or too large. Does not verify signatures.
Result<Transcript> parse_transcript(ByteView bytes);
// What the leader's report says of it.
crypto::Digest digest_of(ByteView serialised);

// The id of a challenge's request. Its nonce follows from it, so nobody can choose the nonce.
IdempotencyId request_id(const ChallengeSeed& seed);
// The same for the request of a second verifier.
IdempotencyId recheck_id(const ChallengeSeed& seed);

// Checks that the entries follow the plan, and that each answer is to the plan's challenge, has its nonce, and is
// signed. Error: invalid_argument or authentication, with the fault.
Status check(const Transcript& transcript, const verification::ChallengePlan& plan, const PromptPool& pool);

}  // namespace planetserve::verification_agent
