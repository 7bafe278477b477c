#include "verification/votes.h"

#include <algorithm>

#include "base/requires.h"
#include "verification/verification.pb.h"

namespace planetserve::verification {

namespace {

struct Vote {
    NodeId verifier;
    Millionths credit;
    std::uint64_t power;
};

std::optional<Millionths> credit_of(const Score& score, const Epoch& epoch) {
    if (score.outcome == Outcome::credit) return score.credit;
    if (score.outcome == Outcome::no_answer && epoch.gave_no_answer(score.node)) return 0;
    return std::nullopt;
}

}  // namespace

Millionths weighted_median(std::vector<std::pair<Millionths, std::uint64_t>> values) {
    REQUIRES(!values.empty());
    std::ranges::sort(values);
    std::uint64_t total = 0;
    for (const auto& [value, weight] : values) total += weight;
    std::uint64_t sum = 0;
    for (const auto& [value, weight] : values) {
        sum += weight;
        if (sum * 2 >= total) return value;
    }
    return values.back().first;
}

Settlement settle(const Epoch& epoch, const Ballots& ballots, const VerifierSet& verifiers,
                  const Parameters& parameters) {
    std::map<NodeId, std::vector<Vote>> votes;
    for (const auto& [verifier, ballot] : ballots) {
        if (!ballot.revealed || epoch.equivocators.contains(verifier)) continue;
        for (const Score& score : ballot.scores)
            if (auto credit = credit_of(score, epoch))
                votes[score.node].push_back({verifier, *credit, verifiers.power(verifier)});
    }
    Settlement settlement;
    std::map<NodeId, std::pair<std::size_t, std::size_t>> counted;  // by verifier: votes, those far off
    for (const auto& [node, of_node] : votes) {
        std::vector<std::pair<Millionths, std::uint64_t>> values;
        std::uint64_t power = 0;
        for (const Vote& vote : of_node) {
            values.emplace_back(vote.credit, vote.power);
            power += vote.power;
        }
        if (!verifiers.is_quorum(power)) continue;
        Millionths median = weighted_median(std::move(values));
        settlement.credits.emplace(node, median);
        for (const Vote& vote : of_node) {
            auto& [all, far] = counted[vote.verifier];
            ++all;
            if (std::max(vote.credit, median) - std::min(vote.credit, median) > parameters.far) ++far;
        }
    }
    for (const auto& [verifier, count] : counted) settlement.far.emplace(verifier, count.second * 2 > count.first);
    return settlement;
}

Bytes encode_ballot(const NodeId& verifier, const Ballot& ballot) {
    proto::Ballot message;
    message.set_verifier(to_string(verifier.bytes()));
    message.set_digest(to_string(ballot.digest));
    message.set_revealed(ballot.revealed);
    for (const Score& score : ballot.scores) to_proto(score, *message.add_scores());
    return to_bytes(message.SerializeAsString());
}

Result<std::pair<NodeId, Ballot>> parse_ballot(ByteView bytes) {
    auto wrong = [] { return fail(ErrorCode::malformed, "a ballot that does not parse"); };
    proto::Ballot message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return wrong();
    auto verifier = NodeId::from(as_bytes(message.verifier()));
    auto digest = FixedBytes<struct BallotTag, 32>::from(as_bytes(message.digest()));
    if (!verifier || !digest) return wrong();
    Ballot ballot{digest->value, message.revealed(), {}};
    for (const auto& item : message.scores()) {
        auto score = score_from_proto(item);
        if (!score) return std::unexpected(score.error());
        ballot.scores.push_back(*score);
    }
    return std::pair(*verifier, std::move(ballot));
}

}  // namespace planetserve::verification
