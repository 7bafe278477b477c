// A verifiable random function: ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381. The holder of a key computes an output that
// looks random from an input, and a proof; for a key and an input there is one output only, and whoever has the proof
// can check it.
//
// The key is an identity's. That is safe beside its signatures: the nonce of a proof is derived as that of an Ed25519
// signature over a 32-byte message which is a curve point hashed from the input, and no identity signs such bytes
// (everything it signs begins with words of its protocol). An input must not be secret: hashing it to the curve takes
// more or less time.
//
// Stricter than the RFC where only dishonest provers notice: public key and Gamma must be canonical points of the main
// subgroup, so a proof cannot be changed into another that verifies as well. Time of prove depends on the input, never
// on the key.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace planetserve::crypto {

// Gamma (32), c (16), s (32).
using VrfProof = FixedBytes<struct VrfProofTag, 80>;
using VrfOutput = FixedBytes<struct VrfOutputTag, 64>;

VrfProof vrf_prove(const Identity& identity, ByteView alpha);
// The output, if it is this identity's for this input.
[[nodiscard]] std::optional<VrfOutput> vrf_verify(const NodeId& prover, ByteView alpha, const VrfProof& proof);
// The output that a proof stands for, unchecked: only for proofs of one's own, or verified before. Nothing for what is
// no proof.
std::optional<VrfOutput> vrf_proof_to_hash(const VrfProof& proof);

}  // namespace planetserve::crypto
