// The validators of a height: who may sign a block, and with what weight.
//
// Their hash is the RFC 6962 root over SimpleValidator{public key, power} in CometBFT's order, power descending, then
// address. Keys are Ed25519, the only kind this project's committees use.
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
    // So that sums and products of powers stay within 64 bits; CometBFT's limit.
    static constexpr std::int64_t maximum_power = INT64_MAX / 8;

    // Puts them in CometBFT's order. Fails unless there are 1 to maximum_size, no two with one key, each with a power
    // above 0, and at most maximum_power in all.
    static Result<ValidatorSet> make(std::vector<Validator> validators);

    std::size_t size() const { return validators_.size(); }
    const std::vector<Validator>& validators() const { return validators_; }
    const Address& address(std::size_t index) const { return addresses_[index]; }
    std::int64_t total_power() const { return total_power_; }
    const crypto::Digest& hash() const { return hash_; }
    // The index of the validator with an address.
    std::optional<std::size_t> find(const Address& address) const;

    bool operator==(const ValidatorSet& other) const { return validators_ == other.validators_; }

private:
    ValidatorSet() = default;

    std::vector<Validator> validators_;
    std::vector<Address> addresses_;       // of the same indices
    std::vector<std::size_t> by_address_;  // indices
    std::int64_t total_power_ = 0;
    crypto::Digest hash_{};
};

}  // namespace planetserve::lightclient
