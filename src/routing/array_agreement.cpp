#include "routing/array_agreement.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace planetserve::routing {

namespace {

auto rank(const ChunkLengths& array) {
    return std::tie(array.version, array.lengths, array.tail, array.maximum_levels);
}

struct Supported {
    const ChunkLengths* array = nullptr;
    std::size_t members = 0;
};

void add(std::vector<Supported>& all, const ChunkLengths& array) {
    for (Supported& supported : all)
        if (*supported.array == array) {
            ++supported.members;
            return;
        }
    all.push_back({&array, 1});
}

bool within(std::uint32_t a, std::uint32_t b, std::uint32_t tolerance) {
    return a <= b + tolerance && b <= a + tolerance;
}

bool has(const BoundaryVotes& boundaries, std::uint32_t boundary, std::uint32_t tolerance) {
    return std::ranges::any_of(boundaries, [&](std::uint32_t other) { return within(boundary, other, tolerance); });
}

// s1, delta, s2 - s1 - delta, delta, ...
std::vector<std::uint32_t> lengths_for(const BoundaryVotes& boundaries, std::uint32_t separator) {
    std::vector<std::uint32_t> lengths;
    std::uint32_t end = 0;
    for (std::uint32_t boundary : boundaries) {
        lengths.insert(lengths.end(), {boundary - end, separator});
        end = boundary + separator;
    }
    return lengths;
}

BoundaryVotes boundaries_of(const ChunkLengths& array) {
    BoundaryVotes boundaries;
    std::uint32_t end = 0;
    for (std::size_t i = 0; i < array.lengths.size(); ++i) {
        end += array.lengths[i];
        if (i % 2 == 0) boundaries.push_back(end);
    }
    return boundaries;
}

}  // namespace

ArrayAgreement::ArrayAgreement(ChunkLengths initial, AgreementParameters parameters)
    : parameters_(parameters), current_(std::move(initial)), periods_(parameters.pause) {
    vote();
}

// Stands for the current array, and votes for what the sentry found. While it has seen little, votes for the current
// array's boundaries too.
void ArrayAgreement::vote() {
    own_ = {current_, found_};
    BoundaryVotes& votes = own_.votes;
    if (!seen_enough_)
        for (std::uint32_t boundary : boundaries_of(current_))
            if (votes.size() < maximum_votes && !has(votes, boundary, parameters_.tolerance)) votes.push_back(boundary);
    std::ranges::sort(votes);
}

// A boundary of the current array stays in its place unless more than half of the members are known not to vote for it.
// A new one is elected by the votes of more than half, at the median of these votes.
BoundaryVotes ArrayAgreement::elected(std::size_t members) const {
    std::vector<std::pair<std::uint32_t, HolderIndex>> all;
    constexpr HolderIndex self = ~HolderIndex{0};
    for (std::uint32_t vote : own_.votes) all.emplace_back(vote, self);
    for (const auto& [member, stance] : others_)
        for (std::uint32_t vote : stance.votes) all.emplace_back(vote, member);
    std::ranges::sort(all);
    BoundaryVotes boundaries;
    for (std::uint32_t boundary : boundaries_of(current_)) {
        auto against = [&](const ArrayStance& stance) { return !has(stance.votes, boundary, parameters_.tolerance); };
        std::size_t count = against(own_) ? 1 : 0;
        for (const auto& [member, stance] : others_) count += against(stance) ? 1 : 0;
        if (count * 2 <= members) boundaries.push_back(boundary);
    }
    for (std::size_t first = 0; first < all.size();) {
        std::set<HolderIndex> voters;
        BoundaryVotes positions;
        for (std::size_t i = first; i < all.size() && all[i].first <= all[first].first + parameters_.tolerance; ++i)
            if (voters.insert(all[i].second).second) positions.push_back(all[i].first);
        if (positions.size() * 2 <= members) {
            ++first;
            continue;
        }
        const std::uint32_t boundary = positions[(positions.size() - 1) / 2];
        if (!has(boundaries, boundary, parameters_.separator)) boundaries.push_back(boundary);
        while (first < all.size() && all[first].first <= boundary + parameters_.separator) ++first;
    }
    if (boundaries.size() > maximum_votes) boundaries.resize(maximum_votes);
    std::ranges::sort(boundaries);
    return boundaries;
}

std::optional<ChunkLengths> ArrayAgreement::wanted(std::size_t members) const {
    if (periods_ < parameters_.pause) return std::nullopt;
    const BoundaryVotes boundaries = elected(members);
    const BoundaryVotes present = boundaries_of(current_);
    const bool lacking = std::ranges::any_of(
        boundaries, [&](std::uint32_t boundary) { return !has(present, boundary, parameters_.tolerance); });
    // One boundary too many costs almost nothing.
    const auto kept = std::ranges::count_if(
        present, [&](std::uint32_t boundary) { return has(boundaries, boundary, parameters_.tolerance); });
    if (!lacking && (present.empty() || static_cast<std::size_t>(kept) * 2 > present.size())) return std::nullopt;
    ChunkLengths array{current_.version + 1, lengths_for(boundaries, parameters_.separator), current_.tail,
                       current_.maximum_levels};
    if (!array.validate()) return std::nullopt;
    return array;
}

bool ArrayAgreement::similar(const ChunkLengths& array, const ChunkLengths& to) const {
    return array.version == to.version && array.tail == to.tail && array.maximum_levels == to.maximum_levels &&
           std::ranges::equal(boundaries_of(array), boundaries_of(to),
                              [&](std::uint32_t a, std::uint32_t b) { return within(a, b, parameters_.tolerance); });
}

// Stands for the best supported of the arrays that differ from this node's own wish by at most the tolerance.
void ArrayAgreement::on_period(BoundaryVotes found, bool seen_enough, std::size_t members) {
    ++periods_;
    found_ = std::move(found);
    seen_enough_ = seen_enough;
    vote();
    const auto wish = wanted(members);
    if (!wish) return;
    std::vector<Supported> candidates;
    add(candidates, *wish);
    for (const auto& [member, stance] : others_)
        if (similar(stance.array, *wish)) add(candidates, stance.array);
    const Supported* best = &candidates.front();
    for (const Supported& candidate : candidates)
        if (candidate.members > best->members ||
            (candidate.members == best->members && rank(*candidate.array) < rank(*best->array)))
            best = &candidate;
    own_.array = *best->array;
}

std::optional<ChunkLengths> ArrayAgreement::update(std::size_t members) {
    std::vector<Supported> all;
    add(all, own_.array);
    for (const auto& [member, stance] : others_) add(all, stance.array);
    for (const Supported& supported : all) {
        if (supported.members * 2 <= members || supported.array->version <= current_.version) continue;
        current_ = *supported.array;
        vote();
        periods_ = 0;
        return current_;
    }
    return std::nullopt;
}

}  // namespace planetserve::routing
