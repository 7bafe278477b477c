#include "crypto/merkle.h"

#include <bit>
#include <optional>

#include "base/requires.h"

namespace planetserve::crypto {

namespace {

Digest inner_hash(const Digest& left, const Digest& right) {
    std::array<std::uint8_t, 1> prefix{1};
    return sha256({prefix, left, right});
}

// The largest power of two below count. REQUIRES: count > 1.
std::size_t split_point(std::size_t count) { return std::bit_floor(count - 1); }

std::optional<Digest> root_from(std::size_t count, std::size_t index, const Digest& leaf,
                                std::span<const Digest> proof) {
    if (count == 1) return proof.empty() ? std::optional(leaf) : std::nullopt;
    if (proof.empty()) return std::nullopt;
    std::size_t left = split_point(count);
    bool in_left = index < left;
    auto below =
        root_from(in_left ? left : count - left, in_left ? index : index - left, leaf, proof.first(proof.size() - 1));
    if (!below) return std::nullopt;
    return in_left ? inner_hash(*below, proof.back()) : inner_hash(proof.back(), *below);
}

}  // namespace

Digest leaf_hash(ByteView leaf) {
    std::array<std::uint8_t, 1> prefix{0};
    return sha256({prefix, leaf});
}

Digest merkle_root(std::span<const Digest> leaves) {
    if (leaves.empty()) return sha256(ByteView{});
    if (leaves.size() == 1) return leaves[0];
    std::size_t left = split_point(leaves.size());
    return inner_hash(merkle_root(leaves.first(left)), merkle_root(leaves.subspan(left)));
}

std::vector<Digest> merkle_proof(std::span<const Digest> leaves, std::size_t index) {
    REQUIRES(index < leaves.size());
    if (leaves.size() == 1) return {};
    std::size_t left = split_point(leaves.size());
    bool in_left = index < left;
    auto proof = merkle_proof(in_left ? leaves.first(left) : leaves.subspan(left), in_left ? index : index - left);
    proof.push_back(merkle_root(in_left ? leaves.subspan(left) : leaves.first(left)));
    return proof;
}

bool verify_proof(const Digest& root, std::size_t count, std::size_t index, const Digest& leaf,
                  std::span<const Digest> proof) {
    return index < count && proof.size() <= 64 && root_from(count, index, leaf, proof) == root;
}

}  // namespace planetserve::crypto
