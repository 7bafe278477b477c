// Merkle trees of RFC 6962, section 2.1: SHA-256, with 0x00 before leaves and 0x01 before inner nodes.
#pragma once

#include <span>
#include <vector>

#include "crypto/hash.h"

namespace planetserve::crypto {

Digest leaf_hash(ByteView leaf);
// The root over leaf hashes. Without leaves it is the digest of the empty string.
Digest merkle_root(std::span<const Digest> leaves);
// The audit path of a leaf, from its sibling up. REQUIRES: index < leaves.size().
std::vector<Digest> merkle_proof(std::span<const Digest> leaves, std::size_t index);
// Whether a tree of `count` leaves with this root has this leaf hash at `index`.
bool verify_proof(const Digest& root, std::size_t count, std::size_t index, const Digest& leaf,
                  std::span<const Digest> proof);

}  // namespace planetserve::crypto
