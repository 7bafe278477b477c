// Merkle trees after RFC 6962, section 2.1: SHA-256, 0x00 before leaves and 0x01 before inner nodes.
#pragma once

#include <span>
#include <vector>

#include "crypto/hash.h"

namespace planetserve::committee {

crypto::Digest leaf_hash(ByteView leaf);
// Root over leaf hashes; the digest of nothing for none.
crypto::Digest merkle_root(std::span<const crypto::Digest> leaves);
// The audit path of a leaf, from its sibling upwards. REQUIRES: index < leaves.size().
std::vector<crypto::Digest> merkle_proof(std::span<const crypto::Digest> leaves, std::size_t index);
// Whether a leaf is at index of a tree of that many leaves with that root.
bool verify_proof(const crypto::Digest& root, std::size_t count, std::size_t index, const crypto::Digest& leaf,
                  std::span<const crypto::Digest> proof);

}  // namespace planetserve::committee
