// A verifiable random function: ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381. From an input, the holder of a key computes
// an output that looks random, and a proof. A key and an input have only one output, and anybody can check it by the
// proof.
//
// The key is an identity's, which is safe beside its signatures: a proof derives its nonce like an Ed25519 signature
// over a curve point hashed from the input, and no identity signs such bytes (all it signs begins with the name of a
// protocol). An input must not be secret: the time to hash it to the curve varies.
//
// Stricter than the RFC, which only dishonest provers notice: the public key and Gamma must be canonical points of the
// main subgroup, so nobody can change a proof into another valid one. The time of vrf_prove depends on the input, never
// on the key.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace planetserve::crypto {

// Gamma (32), c (16), s (32).
using VrfProof = FixedBytes<struct VrfProofTag, 80>;
using VrfOutput = FixedBytes<struct VrfOutputTag, 64>;

VrfProof vrf_prove(const Identity& identity, ByteView alpha);
// The output, if the proof is this prover's for this input.
[[nodiscard]] std::optional<VrfOutput> vrf_verify(const NodeId& prover, ByteView alpha, const VrfProof& proof);
// The output of a proof, unchecked: only for own proofs and proofs that were verified before. Nothing if the bytes are
// no proof.
std::optional<VrfOutput> vrf_proof_to_hash(const VrfProof& proof);

}  // namespace planetserve::crypto
