// What verifiers say to each other on the chain, each transaction signed by its sender
// (docs/protocols/verification.md).
//
// A verifier may say one thing of each kind in an epoch, so the epoch's number is all that keeps old ones from being
// played again.
#pragma once

#include <variant>
#include <vector>

#include "crypto/hash.h"
#include "crypto/vrf.h"
#include "verification/parameters.h"
#include "wire/hello.h"

namespace planetserve::verification {

inline constexpr std::size_t maximum_transaction_size = 16 * 1024;

using Salt = FixedBytes<struct SaltTag, 32>;

// The proof of this epoch's draw.
struct Draw {
    crypto::VrfProof proof;
    bool operator==(const Draw&) const = default;
};

// What the leader found.
struct Report {
    crypto::VrfProof plan_proof;     // of what the challenges follow from
    crypto::Digest transcript{};     // over all that was asked and answered; the verifiers get that from the leader
    std::vector<NodeId> unanswered;  // ascending
    bool operator==(const Report&) const = default;
};

// Which of those gave the second verifier no answer either.
struct Recheck {
    std::vector<NodeId> unanswered;  // ascending
    bool operator==(const Recheck&) const = default;
};

enum class Outcome : std::uint8_t { credit = 0, no_answer = 1, inconclusive = 2 };

struct Score {
    NodeId node;
    Outcome outcome = Outcome::inconclusive;
    Millionths credit = 0;  // 0 unless the outcome is a credit
    bool operator==(const Score&) const = default;
};

struct Commit {
    crypto::Digest digest{};
    bool operator==(const Commit&) const = default;
};

struct Reveal {
    Salt salt;
    std::vector<Score> scores;  // ascending by node
    bool operator==(const Reveal&) const = default;
};

struct Transaction {
    wire::NetworkId network;
    NodeId sender;
    std::uint64_t epoch = 0;
    std::variant<Draw, Report, Recheck, Commit, Reveal> body;
    bool operator==(const Transaction&) const = default;
};

// What a verifier commits to: its scores, bound to what they are about and to itself. The salt is 32 random bytes, kept
// until the reveal.
crypto::Digest commitment(const wire::NetworkId& network, std::uint64_t epoch, const NodeId& verifier,
                          const crypto::Digest& transcript, const Reveal& reveal);

Bytes sign(const Transaction& transaction, const crypto::Identity& identity);
// Parses, checks every limit, and verifies the signature.
Result<Transaction> parse_transaction(ByteView bytes);

namespace proto {
class Score;
}
void to_proto(const Score& score, proto::Score& out);
Result<Score> score_from_proto(const proto::Score& message);

}  // namespace planetserve::verification
