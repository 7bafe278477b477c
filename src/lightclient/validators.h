// The validators of a height: the keys that may sign a block, each with its voting power.
//
// The hash of a set is the RFC 6962 root over SimpleValidator{public key, power} in CometBFT's order: by power,
// descending, then by address. Keys are Ed25519, the only kind that our committees use.
#pragma once

#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "lightclient/header.h"

namespace planetserve::lightclient {

struct Validator {
    NodeId key;
    std::int64_t power = 0;
    bool operator==(const Validator&) const = default;
};

Address address_of(const NodeId& key);

class ValidatorSet {
public:
    static constexpr std::size_t maximum_size = 1000;
    // CometBFT's limit. Sums of powers, and their products with a small fraction, fit into 64 bits.
    static constexpr std::int64_t maximum_power = INT64_MAX / 8;

    // Sorts the validators into CometBFT's order. Fails unless there are 1 to maximum_size of them with different
    // addresses, each power is above 0, and the powers sum to at most maximum_power.
    static Result<ValidatorSet> make(std::vector<Validator> validators);

    std::size_t size() const { return validators_.size(); }
    const std::vector<Validator>& validators() const { return validators_; }
    const Address& address(std::size_t index) const { return addresses_[index]; }
    std::int64_t total_power() const { return total_power_; }
    const crypto::Digest& hash() const { return hash_; }
    // The index of the validator with this address.
    std::optional<std::size_t> find(const Address& address) const;

    bool operator==(const ValidatorSet& other) const { return validators_ == other.validators_; }

private:
    ValidatorSet() = default;

    std::vector<Validator> validators_;
    std::vector<Address> addresses_;       // by index
    std::vector<std::size_t> by_address_;  // indices, sorted by address
    std::int64_t total_power_ = 0;
    crypto::Digest hash_{};
};

}  // namespace planetserve::lightclient
