// Derives trust in a light block from trust in another one, by the rules of CometBFT's light client.
//
// Assumption: within the trusting period of the block that names a validator set, less than a third of the set's power
// is dishonest. A block is trusted if two conditions hold:
//
// 1. More than 2/3 of the power of its own validators signed it.
// 2. These validators are known. At the next height: the trusted block names them. At a greater height (skipping): more
//    than the trust level (1/3 or higher) of the trusted block's power signed too, so at least one signer is honest.
//
// If the set changed so much that too little of the trusted power signed, the answer is not_enough_trust: the caller
// must verify a block between the two first.
//
// Sources: CometBFT v0.38, light/verifier.go and types/validation.go; Braithwaite et al., "A Tendermint Light Client"
// (arXiv 2010.07031). libsodium checks signatures and refuses some that ZIP-215 permits. Such a signature makes the
// block invalid here; no honest validator makes one. Counting stops once enough power has signed, so a wrong signature
// after that goes unnoticed.
//
// Pure; time is a parameter. Cost: one Ed25519 check for each vote that is counted, at most one a validator.
#pragma once

#include <expected>
#include <string>

#include "lightclient/light_block.h"

namespace planetserve::lightclient {

enum class Reason : std::uint8_t {
    not_enough_trust,  // too few trusted validators signed: verify a block in between first
    expired,           // the trusted block is older than the trusting period
    stale,             // not above the block in hand
    from_future,       // ahead of the clock by the permitted drift or more
    invalid,           // contradicts itself or the trusted block, of another chain, or signatures are too few or wrong
    forked,            // validly signed, but not the block in hand of that height: validators broke the protocol
};
using planetserve::to_string;  // the overload below would hide it
std::string_view to_string(Reason reason);

struct Refusal {
    Reason reason = Reason::invalid;
    std::string message;  // for a person, who can act on it
};
using Checked = std::expected<void, Refusal>;

struct Fraction {
    std::int64_t numerator = 1;
    std::int64_t denominator = 3;
};

struct Options {
    Fraction trust_level;  // from 1/3 to 1
    // Long enough for somebody to notice a fork; shorter than validators guard their keys after they leave.
    std::chrono::seconds trusting_period = std::chrono::hours(7 * 24);
    std::chrono::milliseconds maximum_clock_drift = std::chrono::seconds(10);  // of a header's time ahead of now
};

// The block that later blocks are verified by.
struct TrustedBlock {
    Header header;
    ValidatorSet validators;  // of its height or of the next one
};

// Checks that the parts of a block belong together: the header names the validators, the commit names the header, and
// each vote for the block stands in its validator's place. Checks no signature.
Checked check_consistency(const LightBlock& block);

// Counts the signatures of a block's commit and checks each at most once. The block must outlive this object and pass
// check_consistency().
class SignatureCount {
public:
    explicit SignatureCount(const LightBlock& block) : block_(block), known_good_(block.commit.signatures.size()) {}

    // Succeeds if more than this fraction of the set's power signed the block. The set is the block's own or another
    // one that shares validators with it. If too little power signed, the reason is too_few; a wrong signature makes
    // the block invalid. REQUIRES: 0 < numerator <= denominator <= 8.
    Checked more_than(Fraction fraction, const ValidatorSet& set, Reason too_few);

private:
    const LightBlock& block_;
    std::vector<bool> known_good_;
};

// Verifies a block of a greater height by a trusted one.
Checked verify(const TrustedBlock& trusted, const LightBlock& block, const Options& options, Timestamp now);

}  // namespace planetserve::lightclient
