#include "routing/sentry.h"

#include <algorithm>

namespace planetserve::routing {

namespace {

constexpr std::uint32_t shortest = 64;
// In one branch. The oldest departure at the most frequent length makes room.
constexpr std::size_t most_departures = 32;

// Each length is a quarter more than the previous one.
std::vector<std::uint32_t> grid_up_to(std::uint32_t longest) {
    std::vector<std::uint32_t> grid;
    for (std::uint32_t length = shortest; length < longest; length += length / 4) grid.push_back(length);
    grid.push_back(longest);
    return grid;
}

SentryParameters bounded(SentryParameters parameters) {
    parameters.longest = std::max(parameters.longest, shortest + 1);
    parameters.resolution = std::clamp(parameters.resolution, 1u, std::max(parameters.separator / 2, 1u));
    parameters.remembered = std::max(parameters.remembered, 1u);
    parameters.maximum_branches = std::max<std::size_t>(parameters.maximum_branches, 1);
    return parameters;
}

// Enough for a prompt on the grid, or for the steps from a branch to the next length of the grid, a quarter more.
std::size_t most_blocks(const SentryParameters& parameters) {
    return parameters.longest / crypto::PrefixHash::block_size + parameters.longest / parameters.resolution / 4 + 64;
}

// Never 0, which stands for no hash.
std::uint32_t short_hash(std::uint64_t hash) { return std::max(static_cast<std::uint32_t>(hash), 1u); }

}  // namespace

Sentry::Sentry(ByteView group_key, SentryParameters parameters)
    : parameters_(bounded(parameters)),
      grid_(grid_up_to(parameters_.longest)),
      hash_(group_key, "routing sentry", most_blocks(parameters_)),
      columns_(grid_.size()) {}

void Sentry::hash_on_grid(ByteView prompt) {
    auto reached = std::ranges::upper_bound(grid_, prompt.size()) - grid_.begin();
    hashes_.resize(static_cast<std::size_t>(reached));
    hash_.hash(prompt, std::span(grid_).first(hashes_.size()), hashes_);
}

// The last level that a remembered prompt shares with the current one. A prompt that shares a level shares all above
// it.
std::optional<std::size_t> Sentry::shared_level() const {
    std::size_t shared = 0;  // levels
    for (std::size_t beyond = hashes_.size() + 1; beyond - shared > 1;) {
        std::size_t middle = shared + (beyond - shared) / 2;
        const std::vector<std::uint32_t>& column = columns_[middle - 1];
        bool found = std::ranges::find(column, short_hash(hashes_[middle - 1])) != column.end();
        (found ? shared : beyond) = middle;
    }
    return shared == 0 ? std::nullopt : std::optional(shared - 1);
}

void Sentry::remember() {
    const std::size_t row = observed_ % parameters_.remembered;
    for (std::size_t level = 0; level < grid_.size(); ++level) {
        std::vector<std::uint32_t>& column = columns_[level];
        if (column.size() <= row) column.push_back(0);
        column[row] = level < hashes_.size() ? short_hash(hashes_[level]) : 0;
    }
    ++observed_;
}

std::uint32_t Sentry::observe(ByteView prompt) {
    hash_on_grid(prompt);
    const std::uint32_t common = common_length_of_hashed(prompt);
    const auto level = shared_level();
    remember();
    // A prompt that agrees as far as the sentry looks tells nothing.
    if (level && *level + 1 < grid_.size()) depart(branch_at(*level, hashes_[*level]), prompt);
    return common;
}

Sentry::Branch& Sentry::branch_at(std::size_t level, std::uint64_t prefix) {
    auto found = std::ranges::find_if(
        branches_, [&](const Branch& branch) { return branch.level == level && branch.prefix == prefix; });
    if (found == branches_.end()) {
        if (branches_.size() < parameters_.maximum_branches) {
            found = branches_.emplace(branches_.end());
        } else {
            found = std::ranges::min_element(branches_, {}, [&](const Branch& branch) {
                return std::pair(departures_in(branch, 0, grid_.back()), branch.used);
            });
            *found = {};
        }
        found->level = level;
        found->prefix = prefix;
    }
    found->used = observed_;
    return *found;
}

// Compares the prompt with the branch's reference, in steps of the resolution.
void Sentry::depart(Branch& branch, ByteView prompt) {
    const std::uint32_t begin = grid_[branch.level];
    const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(grid_[branch.level + 1], prompt.size()));
    fine_ends_.clear();
    for (std::uint32_t at = begin + parameters_.resolution; at <= end; at += parameters_.resolution)
        fine_ends_.push_back(at);
    fine_hashes_.resize(fine_ends_.size());
    hash_.hash(prompt, fine_ends_, fine_hashes_);
    auto refer_to_this = [&] {
        branch.reference.clear();
        for (std::uint64_t hash : fine_hashes_) branch.reference.push_back(static_cast<std::uint16_t>(hash));
    };
    auto equal = [](std::uint64_t hash, std::uint16_t reference) {
        return static_cast<std::uint16_t>(hash) == reference;
    };
    auto mismatch = std::ranges::mismatch(fine_hashes_, branch.reference, equal);
    // One ends before they diverge. The longer one is the better reference.
    if (mismatch.in1 == fine_hashes_.end() || mismatch.in2 == branch.reference.end()) {
        if (fine_hashes_.size() > branch.reference.size()) refer_to_this();
        return;
    }
    const auto steps = static_cast<std::size_t>(mismatch.in1 - fine_hashes_.begin());
    const std::size_t further = std::min(steps + parameters_.separator / parameters_.resolution, fine_hashes_.size());
    const Departure departure{observed_, static_cast<std::uint32_t>(begin + steps * parameters_.resolution),
                              static_cast<std::uint32_t>(fine_hashes_[further - 1])};
    auto same = std::ranges::find_if(branch.departures, [&](const Departure& other) {
        return other.length == departure.length && other.continuation == departure.continuation;
    });
    // An earlier prompt continued like this one: either the reference left, or both are of one conversation.
    if (same != branch.departures.end()) {
        same->number = departure.number;
        return refer_to_this();
    }
    add_departure(branch, departure);
    look_for_end(branch, prompt, departure.length);
}

void Sentry::add_departure(Branch& branch, const Departure& departure) {
    std::vector<Departure>& all = branch.departures;
    std::erase_if(all, [&](const Departure& old) { return old.number + parameters_.horizon < observed_; });
    if (all.size() == most_departures) {
        auto of_length = [&](const Departure& old) { return std::ranges::count(all, old.length, &Departure::length); };
        all.erase(std::ranges::max_element(
            all, {}, [&](const Departure& old) { return std::pair(of_length(old), observed_ - old.number); }));
    }
    all.push_back(departure);
}

// Adds an end if enough prompts, this one among them, have now departed at about this length.
void Sentry::look_for_end(Branch& branch, ByteView prompt, std::uint32_t length) {
    std::erase_if(branch.ends, [&](const End& end) { return !stands(branch, end); });
    std::uint32_t best = length;
    std::uint32_t most = 0;
    for (const Departure& departure : branch.departures) {
        if (departure.length > length || departure.length + parameters_.separator <= length) continue;
        std::uint32_t count = departures_in(branch, departure.length, departure.length + parameters_.separator);
        if (count < most || (count == most && departure.length >= best)) continue;
        best = departure.length;
        most = count;
    }
    bool known = std::ranges::any_of(branch.ends, [&](const End& end) {
        return end.length < best + parameters_.separator && best < end.length + parameters_.separator;
    });
    if (!known && most >= needed()) branch.ends.push_back({best, end_hash(prompt, branch.level, best)});
}

std::uint64_t Sentry::end_hash(ByteView prompt, std::size_t level, std::uint32_t length) {
    fine_ends_.assign(grid_.begin(), grid_.begin() + static_cast<std::ptrdiff_t>(level + 1));
    if (length > fine_ends_.back()) fine_ends_.push_back(length);
    fine_hashes_.resize(fine_ends_.size());
    hash_.hash(prompt, fine_ends_, fine_hashes_);
    return fine_hashes_.back();
}

std::uint32_t Sentry::departures_in(const Branch& branch, std::uint32_t begin, std::uint32_t end) const {
    return static_cast<std::uint32_t>(std::ranges::count_if(branch.departures, [&](const Departure& departure) {
        return departure.number + parameters_.horizon >= observed_ && departure.length >= begin &&
               departure.length < end;
    }));
}

std::uint32_t Sentry::needed() const {
    auto seen = static_cast<double>(std::min<std::uint64_t>(observed_, parameters_.horizon));
    return std::max(parameters_.fewest, static_cast<std::uint32_t>(parameters_.support * seen));
}

std::uint32_t Sentry::support_of(const Branch& branch, const End& end) const {
    return departures_in(branch, end.length, end.length + parameters_.separator);
}

bool Sentry::stands(const Branch& branch, const End& end) const { return support_of(branch, end) * 3 >= needed(); }

std::uint32_t Sentry::common_length(ByteView prompt) {
    hash_on_grid(prompt);
    return common_length_of_hashed(prompt);
}

std::uint32_t Sentry::common_length_of_hashed(ByteView prompt) {
    std::uint32_t common = 0;
    for (const Branch& branch : branches_) {
        if (branch.level >= hashes_.size() || branch.prefix != hashes_[branch.level]) continue;
        for (const End& end : branch.ends)
            if (end.length > common && end.length <= prompt.size() && stands(branch, end) &&
                end.hash == end_hash(prompt, branch.level, end.length))
                common = end.length;
    }
    return common;
}

std::vector<std::uint32_t> Sentry::common_lengths() const {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> by_support;
    for (const Branch& branch : branches_)
        for (const End& end : branch.ends)
            if (stands(branch, end)) by_support.emplace_back(support_of(branch, end), end.length);
    std::ranges::sort(by_support, std::greater{});
    std::vector<std::uint32_t> lengths;
    for (auto [support, length] : by_support) {
        bool close = std::ranges::any_of(lengths, [&](std::uint32_t other) {
            return length < other + parameters_.separator && other < length + parameters_.separator;
        });
        if (!close && lengths.size() < parameters_.maximum_parts) lengths.push_back(length);
    }
    std::ranges::sort(lengths);
    return lengths;
}

std::size_t Sentry::memory() const {
    std::size_t bytes = sizeof *this;
    for (const auto& column : columns_) bytes += column.capacity() * sizeof(std::uint32_t);
    for (const Branch& branch : branches_)
        bytes += sizeof branch + branch.reference.capacity() * sizeof(std::uint16_t) +
                 branch.departures.capacity() * sizeof(Departure) + branch.ends.capacity() * sizeof(End);
    return bytes;
}

}  // namespace planetserve::routing
