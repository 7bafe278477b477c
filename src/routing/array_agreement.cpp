#include "routing/array_agreement.h"

#include <tuple>
#include <vector>

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

}  // namespace

bool ArrayAgreement::similar(const ChunkLengths& array) const {
    if (array.version <= current_.version || array.lengths.size() != proposal_->lengths.size() ||
        array.tail != proposal_->tail || array.maximum_levels != proposal_->maximum_levels)
        return false;
    std::int64_t end = 0;
    std::int64_t own = 0;
    for (std::size_t i = 0; i < array.lengths.size(); ++i) {
        end += array.lengths[i];
        own += proposal_->lengths[i];
        if (end > own + tolerance_ || own > end + tolerance_) return false;
    }
    return true;
}

ChunkLengths ArrayAgreement::standing() const {
    if (!proposal_) return current_;
    std::vector<Supported> candidates;
    add(candidates, *proposal_);
    for (const auto& [member, array] : announced_)
        if (similar(array)) add(candidates, array);
    const Supported* best = &candidates.front();
    for (const Supported& candidate : candidates)
        if (candidate.members > best->members ||
            (candidate.members == best->members && rank(*candidate.array) < rank(*best->array)))
            best = &candidate;
    return *best->array;
}

std::optional<ChunkLengths> ArrayAgreement::update(std::size_t members) {
    const ChunkLengths own = standing();
    std::vector<Supported> all;
    add(all, own);
    for (const auto& [member, array] : announced_) add(all, array);
    for (const Supported& supported : all) {
        if (supported.members * 2 <= members || supported.array->version <= current_.version) continue;
        current_ = *supported.array;
        // The sentry compares with the new one from now on.
        proposal_.reset();
        return current_;
    }
    return std::nullopt;
}

}  // namespace planetserve::routing
