// A verifiable random function: ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381. From an input, the owner of a key computes
// an output that looks random, and a proof. A key and an input have exactly one output, and anybody can check it with
// the proof.
//
// The key is the identity's, which also signs. That is safe: a proof derives its nonce as an Ed25519 signature of the
// curve point of the input (32 bytes) would, and no identity signs such bytes. All that it signs has another form: a
// context and a message, TLS handshakes and certificates, CometBFT's votes and
// proposals.
//
// Do not use a secret as input: the time to hash it to the curve varies. The time of vrf_prove does not depend on the
// key.
//
// Stricter than the RFC, which affects only dishonest provers: the public key and Gamma must be canonical points of the
// main subgroup. So nobody can turn a proof into another valid one.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace planetserve::crypto {

// Gamma (32), c (16), s (32).
using VrfProof = FixedBytes<struct VrfProofTag, 80>;
using VrfOutput = FixedBytes<struct VrfOutputTag, 64>;

VrfProof vrf_prove(const Identity& identity, ByteView alpha);
// The output if the proof is valid for this prover and input, otherwise empty.
[[nodiscard]] std::optional<VrfOutput> vrf_verify(const NodeId& prover, ByteView alpha, const VrfProof& proof);
// The output of a proof that the caller made or verified before; this does not verify it. Empty if Gamma is not a
// canonical point.
std::optional<VrfOutput> vrf_proof_to_hash(const VrfProof& proof);

}  // namespace planetserve::crypto
