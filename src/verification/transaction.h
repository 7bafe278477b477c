// The transactions of verification nodes, each signed by its sender (docs/protocols/verification.md).
//
// A verifier may send one transaction of each kind in an epoch, so the number of the epoch is enough to stop replays.
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

// The result of the leader's challenges.
struct Report {
    crypto::VrfProof plan_proof;     // the challenges follow from its output
    crypto::Digest transcript{};     // of all challenges and answers; verifiers fetch the transcript from the leader
    std::vector<NodeId> unanswered;  // ascending
    bool operator==(const Report&) const = default;
};

// The nodes of the report that gave the second verifier no answer either.
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

// The digest of a Commit: binds the scores to the transcript, the epoch and the verifier. The salt is 32 random bytes,
// secret until the reveal.
crypto::Digest commitment(const wire::NetworkId& network, std::uint64_t epoch, const NodeId& verifier,
                          const crypto::Digest& transcript, const Reveal& reveal);

Bytes sign(const Transaction& transaction, const crypto::Identity& identity);
// Parses, checks every limit, and verifies the signature. Error: invalid_argument when too large, malformed, or
// authentication.
Result<Transaction> parse_transaction(ByteView bytes);

namespace proto {
class Score;
}
void to_proto(const Score& score, proto::Score& out);
Result<Score> score_from_proto(const proto::Score& message);

}  // namespace planetserve::verification
