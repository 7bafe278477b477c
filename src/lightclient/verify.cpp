#include "lightclient/verify.h"

#include <algorithm>

namespace planetserve::lightclient {

namespace {

std::unexpected<Refusal> refuse(Reason reason, std::string message) {
    return std::unexpected(Refusal{reason, std::move(message)});
}

std::string at_height(const LightBlock& block) { return "block " + std::to_string(block.header.height); }

bool equal(const Bytes& bytes, const crypto::Digest& digest) { return std::ranges::equal(bytes, digest); }

}  // namespace

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::not_enough_trust:
            return "not enough trust";
        case Reason::expired:
            return "expired";
        case Reason::stale:
            return "stale";
        case Reason::from_future:
            return "from the future";
        case Reason::invalid:
            return "invalid";
        case Reason::forked:
            return "forked";
    }
    return "unknown";
}

Checked check_consistency(const LightBlock& block) {
    auto wrong = [&block](std::string_view what) {
        return refuse(Reason::invalid, at_height(block) + " comes with " + std::string(what));
    };
    if (auto checked = check(block.header); !checked) return refuse(Reason::invalid, checked.error().message);
    if (!equal(block.header.validators_hash, block.validators.hash())) return wrong("validators it does not name");
    if (block.commit.height != block.header.height) return wrong("a commit of another height");
    if (!equal(block.commit.block_id.hash, hash(block.header))) return wrong("a commit of another block");
    if (block.commit.signatures.size() != block.validators.size()) return wrong("more or fewer votes than validators");
    for (std::size_t i = 0; i < block.commit.signatures.size(); ++i) {
        const CommitSignature& signature = block.commit.signatures[i];
        if (signature.flag == BlockIdFlag::commit && signature.validator != block.validators.address(i))
            return wrong("a vote in the place of another validator's");
    }
    return {};
}

Checked SignatureCount::more_than(Fraction fraction, const ValidatorSet& set, Reason too_few) {
    // The powers sum to less than 2^60, which leaves three bits for the numerator.
    std::int64_t needed = set.total_power() * fraction.numerator / fraction.denominator;
    std::int64_t signed_power = 0;
    bool own = &set == &block_.validators;
    for (std::size_t i = 0; i < block_.commit.signatures.size(); ++i) {
        const CommitSignature& signature = block_.commit.signatures[i];
        if (signature.flag != BlockIdFlag::commit) continue;
        auto index = own ? std::optional(i) : set.find(signature.validator);
        if (!index) continue;
        const Validator& validator = set.validators()[*index];
        if (!known_good_[i] && !crypto::verify_raw(validator.key, sign_bytes(block_.commit, i, block_.header.chain_id),
                                                   signature.signature))
            return refuse(Reason::invalid,
                          at_height(block_) + " has a wrong signature of validator " + validator.key.brief());
        known_good_[i] = true;
        signed_power += validator.power;
        if (signed_power > needed) return {};
    }
    return refuse(too_few, at_height(block_) + " is signed by " + std::to_string(signed_power) + " of " +
                               std::to_string(set.total_power()) + (own ? "" : " trusted") +
                               " voting power; more than " + std::to_string(needed) + " are needed");
}

Checked verify(const TrustedBlock& trusted, const LightBlock& block, const Options& options, Timestamp now) {
    const Header& header = block.header;
    if (trusted.header.time + options.trusting_period <= now)
        return refuse(Reason::expired, "block " + std::to_string(trusted.header.height) +
                                           " was trusted too long ago to verify others by it");
    if (header.chain_id != trusted.header.chain_id)
        return refuse(Reason::invalid, at_height(block) + " is of chain '" + header.chain_id + "', not '" +
                                           trusted.header.chain_id + "'");
    if (header.height <= trusted.header.height)
        return refuse(Reason::stale, at_height(block) + " is not above block " + std::to_string(trusted.header.height) +
                                         ", which is in hand");
    if (header.time <= trusted.header.time)
        return refuse(Reason::invalid,
                      at_height(block) + " is not later than block " + std::to_string(trusted.header.height));
    if (header.time >= now + options.maximum_clock_drift)
        return refuse(Reason::from_future, at_height(block) + " is ahead of this machine's clock");
    if (auto checked = check_consistency(block); !checked) return checked;

    SignatureCount count(block);
    if (header.height == trusted.header.height + 1) {
        if (header.validators_hash != trusted.header.next_validators_hash)
            return refuse(Reason::invalid, at_height(block) + " has other validators than the block before it named");
    } else if (auto checked = count.more_than(options.trust_level, trusted.validators, Reason::not_enough_trust);
               !checked) {
        return checked;
    }
    return count.more_than({2, 3}, block.validators, Reason::invalid);
}

}  // namespace planetserve::lightclient
