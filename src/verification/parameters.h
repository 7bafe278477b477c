// The parameters of verification: a network's genesis sets them, and the replicated state holds them
// (docs/protocols/verification.md).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::verification {

// Shares, credits and reputations are whole millionths, from 0 to 1,000,000, so that every machine computes the same.
using Millionths = std::uint32_t;
inline constexpr Millionths one = 1'000'000;

inline constexpr std::uint32_t maximum_nodes_per_epoch = 256;
inline constexpr std::uint32_t maximum_window = 32;
// A verifier's record covers so many epochs.
inline constexpr std::uint32_t record_window = 16;

struct Parameters {
    // The phases of an epoch follow one another from its begin and end before its end.
    std::int64_t epoch_ms = 600'000;
    std::int64_t draw_ms = 30'000;     // verifiers draw who leads
    std::int64_t leader_ms = 90'000;   // a leader challenges and reports, or is replaced
    std::uint32_t leaders = 3;         // turns
    std::int64_t recheck_ms = 60'000;  // a second verifier challenges nodes that gave the leader no answer
    std::int64_t commit_ms = 90'000;
    std::int64_t reveal_ms = 60'000;

    std::uint32_t nodes_per_epoch = 64;  // challenged on average, if there are more
    std::uint32_t challenges_per_node = 2;

    // Reputation: R = alpha R + beta C. When the share of abnormal scores (C below tau) in the window reaches gamma, C
    // weighs less. A node is trusted if its reputation is at least trust.
    Millionths alpha = 400'000;
    Millionths beta = 600'000;
    Millionths gamma = 200'000;
    std::uint32_t window = 5;
    Millionths tau = 400'000;
    Millionths trust = 400'000;
    Millionths initial = 500'000;
    // A vote is far if it differs from the median by more than this. A verifier is flagged if more than far_permitted
    // of its last 16 epochs were far.
    Millionths far = 250'000;
    std::uint32_t far_permitted = 4;
    // A reputation without a new score for so many epochs is forgotten: a week of epochs of ten minutes.
    std::uint64_t forget_epochs = 1008;

    bool operator==(const Parameters&) const = default;
};

// Checks every limit. The error names the parameter.
Status check(const Parameters& parameters);
Bytes encode(const Parameters& parameters);
Result<Parameters> parse_parameters(ByteView bytes);

}  // namespace planetserve::verification
