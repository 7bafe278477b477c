#include "lightclient/validators.h"

#include <algorithm>
#include <numeric>

#include "crypto/merkle.h"
#include "lightclient/conversion.h"

namespace planetserve::lightclient {

Address address_of(const NodeId& key) {
    auto digest = crypto::sha256(key.bytes());
    return *Address::from(ByteView(digest).first(Address::size));
}

Result<ValidatorSet> ValidatorSet::make(std::vector<Validator> validators) {
    if (validators.empty() || validators.size() > maximum_size)
        return fail(ErrorCode::malformed, "a set of " + std::to_string(validators.size()) + " validators; 1 to " +
                                              std::to_string(maximum_size) + " are permitted");
    ValidatorSet set;
    std::vector<std::pair<Validator, Address>> sorted;
    sorted.reserve(validators.size());
    for (const Validator& validator : validators) {
        if (validator.power <= 0 || validator.power > maximum_power - set.total_power_)
            return fail(ErrorCode::malformed, "a validator's power, or the sum of all, is out of range");
        set.total_power_ += validator.power;
        sorted.emplace_back(validator, address_of(validator.key));
    }
    std::ranges::sort(sorted, [](const auto& a, const auto& b) {
        return a.first.power != b.first.power ? a.first.power > b.first.power : a.second < b.second;
    });
    std::vector<crypto::Digest> leaves;
    leaves.reserve(sorted.size());
    for (const auto& [validator, address] : sorted) {
        set.validators_.push_back(validator);
        set.addresses_.push_back(address);
        proto::SimpleValidator message;
        message.mutable_pub_key()->set_ed25519(to_string(validator.key.bytes()));
        message.set_voting_power(validator.power);
        leaves.push_back(crypto::leaf_hash(serialise(message)));
    }
    set.hash_ = crypto::merkle_root(leaves);
    set.by_address_.resize(sorted.size());
    std::iota(set.by_address_.begin(), set.by_address_.end(), std::size_t{0});
    auto address = [&set](std::size_t index) { return set.addresses_[index]; };
    std::ranges::sort(set.by_address_, {}, address);
    if (std::ranges::adjacent_find(set.by_address_, {}, address) != set.by_address_.end())
        return fail(ErrorCode::malformed, "two validators with one address");
    return set;
}

std::optional<std::size_t> ValidatorSet::find(const Address& address) const {
    auto at = [this](std::size_t index) { return addresses_[index]; };
    auto found = std::ranges::lower_bound(by_address_, address, {}, at);
    if (found == by_address_.end() || addresses_[*found] != address) return std::nullopt;
    return *found;
}

}  // namespace planetserve::lightclient
