#include "verification/reputation.h"

#include <algorithm>
#include <bit>

#include "base/requires.h"
#include "verification/verification.pb.h"

namespace planetserve::verification {

namespace {

// Half upwards.
std::uint64_t divide(std::uint64_t numerator, std::uint64_t denominator) {
    return (numerator + denominator / 2) / denominator;
}

}  // namespace

Standing initial_standing(const Parameters& parameters) { return {parameters.initial, 0, 0, 0}; }

Standing after_score(const Standing& standing, Millionths credit, std::uint64_t epoch, const Parameters& parameters) {
    REQUIRES(credit <= one);
    Standing after = standing;
    const std::uint64_t window = parameters.window;
    auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << window) - 1);
    after.abnormal = ((standing.abnormal << 1) | (credit < parameters.tau ? 1u : 0u)) & mask;
    after.scores = standing.scores + 1;
    after.last_epoch = epoch;

    const auto abnormal = static_cast<std::uint64_t>(std::popcount(after.abnormal));
    std::uint64_t earned = divide(std::uint64_t{parameters.beta} * credit, one);
    if (abnormal * one >= parameters.gamma * window) {
        // (W+1) / (W + c/gamma + 2), both sides times gamma. All below 2^48.
        std::uint64_t punished =
            divide((window + 1) * parameters.gamma * credit, (window + 2) * parameters.gamma + abnormal * one);
        earned = std::min(earned, punished);
    }
    std::uint64_t kept = divide(std::uint64_t{parameters.alpha} * standing.reputation, one);
    after.reputation = static_cast<Millionths>(std::min<std::uint64_t>(kept + earned, one));
    return after;
}

Bytes encode_standing(const NodeId& node, const Standing& standing) {
    proto::Standing message;
    message.set_node(to_string(node.bytes()));
    message.set_reputation(standing.reputation);
    message.set_abnormal(standing.abnormal);
    message.set_scores(standing.scores);
    message.set_last_epoch(standing.last_epoch);
    return to_bytes(message.SerializeAsString());
}

Result<std::pair<NodeId, Standing>> parse_standing(ByteView bytes) {
    proto::Standing message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, "a reputation that does not parse");
    auto node = NodeId::from(as_bytes(message.node()));
    if (!node || message.reputation() > one) return fail(ErrorCode::malformed, "a reputation out of range");
    return std::pair(*node, Standing{message.reputation(), message.abnormal(), message.scores(), message.last_epoch()});
}

}  // namespace planetserve::verification
