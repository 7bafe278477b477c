#include "routing/sentry.h"

#include <algorithm>
#include <set>

namespace planetserve::routing {

Sentry::Sentry(ByteView group_key, SentryParameters parameters)
    : parameters_(parameters),
      hash_(group_key, "routing sentry", parameters.longest / crypto::PrefixHash::block_size + most_probes + 1) {
    parameters_.resolution = std::clamp(parameters_.resolution, 1u, std::max(parameters_.separator / 2, 1u));
    // Some 40 lengths, each a quarter more than the one before.
    for (std::uint32_t length = 64; length <= parameters_.longest && grid_.size() < most_probes / 2;
         length += length / 4)
        grid_.push_back(length);
    choose_probes({});
}

// Space-saving: a newcomer to a full table takes the place, and the count, of the least.
Sentry::Count& Sentry::count(Table& table, std::uint64_t hash) {
    auto found = std::ranges::find(table, hash, &Count::hash);
    if (found == table.end()) {
        if (table.size() < table_size) {
            table.push_back({hash, 0, 0, 0});
            found = table.end() - 1;
        } else {
            found = std::ranges::min_element(table, {}, &Count::count);
            *found = {hash, 0, found->count, found->count};
        }
    }
    ++found->count;
    return *found;
}

std::uint64_t Sentry::prefix_hash(ByteView prompt, std::uint32_t length) {
    std::uint64_t out = 0;
    hash_.hash(prompt, {&length, 1}, {&out, 1});
    return out;
}

void Sentry::observe(ByteView prompt) {
    auto probed = std::ranges::upper_bound(probes_, prompt.size()) - probes_.begin();
    hashes_.resize(static_cast<std::size_t>(probed));
    hash_.hash(prompt, std::span(probes_).first(hashes_.size()), hashes_);
    for (std::size_t i = 0; i < hashes_.size(); ++i) {
        Count& counted = count(tables_[i], hashes_[i]);
        counted.parent = i == 0 ? 0 : hashes_[i - 1];
        // What nobody else has yet, nobody has further down.
        if (counted.count - counted.error <= 1) break;
    }
    for (auto& [length, part] : parts_)
        if (length <= prompt.size()) count(part.prefixes, prefix_hash(prompt, length));
    if (++observed_ >= parameters_.window) end_window();
}

// Where prompts that have a prefix in common go apart: at least the support more have it than have any of its
// continuations that are common themselves.
std::vector<Sentry::Interval> Sentry::find_ends() const {
    const auto needed = static_cast<std::uint32_t>(std::max(2.0, parameters_.support * parameters_.window));
    auto certain = [](const Count& counted) { return counted.count - counted.error; };
    std::map<std::uint32_t, Interval> ends;
    for (std::size_t i = 0; i + 1 < probes_.size(); ++i)
        for (const Count& prefix : tables_[i]) {
            if (certain(prefix) < needed) continue;
            std::uint32_t continued = 0;
            for (const Count& longer : tables_[i + 1])
                if (longer.parent == prefix.hash && certain(longer) >= needed / 2) continued += certain(longer);
            if (certain(prefix) < continued + needed) continue;
            Interval& end = ends[probes_[i]];
            end = {probes_[i], probes_[i + 1], end.support + certain(prefix) - continued};
        }
    std::vector<Interval> found;
    for (const auto& [begin, end] : ends) found.push_back(end);
    std::ranges::sort(found, std::greater{}, [](const Interval& end) { return std::pair(end.support, end.begin); });
    return found;
}

void Sentry::end_window() {
    const auto needed = static_cast<std::uint32_t>(std::max(2.0, parameters_.support * parameters_.window));
    std::vector<Interval> open;
    std::set<std::uint32_t> seen;
    for (const Interval& end : find_ends()) {
        if (end.end - end.begin > parameters_.resolution) {
            open.push_back(end);
        } else if (parts_.size() < 2 * parameters_.maximum_parts || parts_.contains(end.begin)) {
            parts_[end.begin].support = end.support;
            seen.insert(end.begin);
        }
    }
    for (auto at = parts_.begin(); at != parts_.end();) {
        auto& [length, part] = *at;
        bool found = seen.contains(length);
        part.found = found ? part.found + 1 : 0;
        part.missed = found ? 0 : part.missed + 1;
        part.confirmed |= part.found >= parameters_.windows_to_confirm;
        part.common.clear();
        for (const Count& counted : part.prefixes)
            if (counted.count - counted.error >= needed) part.common.push_back(counted.hash);
        part.prefixes.clear();
        bool dropped = part.missed >= (part.confirmed ? parameters_.windows_to_drop : 2);
        at = dropped ? parts_.erase(at) : std::next(at);
    }
    choose_probes(open);
    observed_ = 0;
}

// The grid; both sides of each part's end; and a few lengths within each interval where an end is to be found.
void Sentry::choose_probes(const std::vector<Interval>& open) {
    std::set<std::uint32_t> probes(grid_.begin(), grid_.end());
    for (const auto& [length, part] : parts_) probes.insert({length, length + parameters_.resolution});
    for (const Interval& interval : open) {
        constexpr std::uint32_t cuts = 4;
        if (probes.size() + cuts + 2 > most_probes) break;
        probes.insert({interval.begin, interval.end});
        std::uint32_t width = interval.end - interval.begin;
        for (std::uint32_t cut = 1; cut <= cuts; ++cut) {
            std::uint32_t offset = width * cut / (cuts + 1);
            // No finer than the resolution, or an end would be found at several places.
            offset = std::max(offset / parameters_.resolution, 1u) * parameters_.resolution;
            if (offset < width) probes.insert(interval.begin + offset);
        }
    }
    probes_.clear();
    for (std::uint32_t probe : probes)
        if (probe <= parameters_.longest && probes_.size() < most_probes) probes_.push_back(probe);
    tables_.assign(probes_.size(), {});
}

std::vector<std::uint32_t> Sentry::common_lengths() const {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> by_support;
    for (const auto& [length, part] : parts_)
        if (part.confirmed) by_support.emplace_back(part.support, length);
    std::ranges::sort(by_support, std::greater{});
    if (by_support.size() > parameters_.maximum_parts) by_support.resize(parameters_.maximum_parts);
    std::vector<std::uint32_t> lengths;
    for (auto [support, length] : by_support) lengths.push_back(length);
    std::ranges::sort(lengths);
    return lengths;
}

std::optional<ChunkLengths> Sentry::propose(const ChunkLengths& current) const {
    ChunkLengths array{current.version + 1, {}, parameters_.tail, parameters_.maximum_levels};
    std::uint32_t end = 0;
    for (std::uint32_t length : common_lengths()) {
        // Within the separator of the one before it: known well enough.
        if (length <= end || (end > 0 && length - end < parameters_.separator)) continue;
        array.lengths.push_back(length - end);
        array.lengths.push_back(parameters_.separator);
        end = length + parameters_.separator;
    }
    if (array.lengths.empty() || !array.validate()) return std::nullopt;
    if (array.lengths == current.lengths && array.tail == current.tail) return std::nullopt;
    return array;
}

std::uint32_t Sentry::common_length(ByteView prompt) {
    for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
        const auto& [length, state] = *part;
        if (!state.confirmed || length > prompt.size() || state.common.empty()) continue;
        if (std::ranges::find(state.common, prefix_hash(prompt, length)) != state.common.end()) return length;
    }
    return 0;
}

std::size_t Sentry::memory() const {
    std::size_t bytes = sizeof *this;
    for (const Table& table : tables_) bytes += table.capacity() * sizeof(Count);
    for (const auto& [length, part] : parts_)
        bytes +=
            sizeof part + part.prefixes.capacity() * sizeof(Count) + part.common.capacity() * sizeof(std::uint64_t);
    return bytes;
}

}  // namespace planetserve::routing
