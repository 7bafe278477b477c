#include "routing/chunking.h"

#include <algorithm>
#include <stdexcept>

namespace planetserve::routing {

namespace {

std::size_t blocks_of(std::uint32_t length) {
    return (length + crypto::PrefixHash::block_size - 1) / crypto::PrefixHash::block_size;
}

std::size_t all_blocks(const ChunkLengths& array) {
    std::size_t blocks = 0;
    for (std::uint32_t length : array.lengths) blocks += blocks_of(length);
    return blocks + (array.maximum_levels - array.lengths.size()) * blocks_of(array.tail);
}

std::vector<std::uint32_t> ends_of_valid(const ChunkLengths& lengths) {
    if (auto status = lengths.validate(); !status) throw std::logic_error("ChunkHasher: " + status.error().message);
    return lengths.ends();
}

}  // namespace

Status ChunkLengths::validate() const {
    auto refuse = [](const char* why) { return fail(ErrorCode::invalid_argument, why); };
    if (lengths.size() > largest_count) return refuse("a chunk-length array of more than 64 lengths");
    for (std::uint32_t length : lengths)
        if (length == 0 || length > largest_length) return refuse("a chunk length that is not 1 to 1,048,576 bytes");
    if (tail < smallest_tail || tail > largest_tail) return refuse("a tail length that is not 16 to 65,536 bytes");
    if (maximum_levels < 1 || maximum_levels > most_levels || maximum_levels < lengths.size())
        return refuse("a number of levels that is not 1 to 4,096, or below the number of lengths");
    if (all_blocks(*this) > most_blocks) return refuse("a chunk-length array that covers too much");
    return {};
}

std::vector<std::uint32_t> ChunkLengths::ends() const {
    std::vector<std::uint32_t> ends;
    ends.reserve(maximum_levels);
    std::uint32_t end = 0;
    for (std::uint32_t level = 0; level < maximum_levels; ++level)
        ends.push_back(end += level < lengths.size() ? lengths[level] : tail);
    return ends;
}

ChunkHasher::ChunkHasher(ByteView group_key, ChunkLengths lengths, HashWidth width)
    : lengths_(std::move(lengths)),
      width_(width),
      ends_(ends_of_valid(lengths_)),
      hash_(group_key, "routing", all_blocks(lengths_)) {
    full_.reserve(lengths_.maximum_levels);
    hashes_.reserve(lengths_.maximum_levels);
}

std::size_t ChunkHasher::levels(std::size_t prompt_size) const {
    return static_cast<std::size_t>(std::ranges::upper_bound(ends_, prompt_size) - ends_.begin());
}

std::span<const ChunkHash> ChunkHasher::hash(ByteView prompt) {
    const std::size_t count = levels(prompt.size());
    full_.resize(count);
    hashes_.resize(count);
    hash_.hash(prompt, std::span(ends_).first(count), full_);
    const std::uint64_t mask = (std::uint64_t{1} << static_cast<unsigned>(width_)) - 1;
    for (std::size_t level = 0; level < count; ++level) hashes_[level] = static_cast<ChunkHash>(full_[level] & mask);
    return hashes_;
}

}  // namespace planetserve::routing
