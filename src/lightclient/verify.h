// Whether a light block may be trusted because another one is: the rules of CometBFT's light client.
//
// The argument. Of any validator set, less than a third of the power is dishonest within the trusting period of the
// block that names it. A block is trusted when more than 2/3 of its own validators' power signed it, and these
// validators are known: they are those that the trusted block names as the next ones (adjacent heights), or so many of
// the trusted block's validators signed too that one of them at least is honest (skipping; more than the trust level,
// 1/3 or higher). When too few of them did, because the set changed much in between, the answer is not_enough_trust: a
// block between the two must be verified first.
//
// Sources: CometBFT v0.38, light/verifier.go and types/validation.go; Braithwaite et al., "A Tendermint Light Client"
// (arXiv 2010.07031). Signatures are checked as libsodium does, which refuses some that ZIP-215 permits: such a
// validator's vote would not count, and no honest validator makes one. Checks stop once enough power has signed, so
// that a wrong signature among those beyond goes unseen.
//
// Pure; time is a parameter. Cost: one Ed25519 check a counted vote, at most one for each validator.
#pragma once

#include <expected>
#include <string>

#include "lightclient/light_block.h"

namespace planetserve::lightclient {

enum class Reason : std::uint8_t {
    not_enough_trust,  // too few of the validators trusted so far signed: verify a block between first
    expired,           // the trusted block is older than the trusting period
    stale,             // not above the block in hand
    from_future,       // ahead of the clock by more than the permitted drift
    invalid,           // contradicts itself or the trusted block, of another chain, or with too few or wrong signatures
    forked,            // validly signed, and yet another than the block in hand: validators broke the protocol
};
using planetserve::to_string;  // which this one would hide
std::string_view to_string(Reason reason);

struct Refusal {
    Reason reason = Reason::invalid;
    std::string message;  // in words a person can act on
};
using Checked = std::expected<void, Refusal>;

struct Fraction {
    std::int64_t numerator = 1;
    std::int64_t denominator = 3;
};

struct Options {
    Fraction trust_level;  // from 1/3 to 1
    // Longer than validators can get away with a fork, shorter than their keys are guarded after they left.
    std::chrono::seconds trusting_period = std::chrono::hours(7 * 24);
    std::chrono::milliseconds maximum_clock_drift = std::chrono::seconds(10);  // of a header ahead of now
};

// What further blocks are verified against.
struct TrustedBlock {
    Header header;
    ValidatorSet validators;  // of its height, or of the next
};

// That a block's parts belong together: header, commit and validators name each other, and each vote for the block is
// in the place of its validator. No signature is checked.
Checked check_consistency(const LightBlock& block);

// Counts signatures of one block's commit, each checked at most once. The block outlives it, and is consistent.
class SignatureCount {
public:
    explicit SignatureCount(const LightBlock& block) : block_(block), known_good_(block.commit.signatures.size()) {}

    // That more than a fraction of a set's power signed the block: its own set, or another that shares validators with
    // it. REQUIRES: 0 < numerator <= denominator <= 8. too_few is the reason given when they are too few; a signature
    // that is wrong makes the block invalid.
    Checked more_than(Fraction fraction, const ValidatorSet& set, Reason too_few);

private:
    const LightBlock& block_;
    std::vector<bool> known_good_;
};

// Whether a block of a greater height follows from a trusted one.
Checked verify(const TrustedBlock& trusted, const LightBlock& block, const Options& options, Timestamp now);

}  // namespace planetserve::lightclient
