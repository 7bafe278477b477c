#include "exchange/claims.h"

#include "base/requires.h"

namespace planetserve::exchange {

namespace {

// Nodes that may claim to serve one exchange before one is proven.
constexpr std::size_t maximum_serving_claims = 4;

}  // namespace

Claims::Claims(const Target& target, dispersal::Threshold threshold, FindOnionKey find_onion_key, Random& random)
    : target_(target),
      threshold_(threshold),
      find_onion_key_(std::move(find_onion_key)),
      ephemeral_(crypto::AgreementKey::generate(random)),
      serving_(target.node) {
    id_.value = ephemeral_.public_key().value;
}

std::optional<ExchangeKeys> Claims::begin() {
    auto keys = derive_keys(ephemeral_, target_.onion_key, id_, target_.onion_key);
    if (!keys) return std::nullopt;
    auto claim = claims_.try_emplace(target_.node, Claim{{RecordKind::reply, keys->reply}, keys->control}).first;
    claim->second.receiver.expect(threshold_);
    return keys;
}

RecordReceiver* Claims::receiver_of(const NodeId& node) {
    auto claim = claims_.find(node);
    if (claim != claims_.end()) return &claim->second.receiver;
    if (proven_ || claims_.size() >= maximum_serving_claims) return nullptr;
    auto onion_key = find_onion_key_(node);
    auto keys = onion_key ? derive_keys(ephemeral_, *onion_key, id_, *onion_key) : std::nullopt;
    if (!keys) return nullptr;
    claim = claims_.try_emplace(node, Claim{{RecordKind::reply, keys->reply}, keys->control}).first;
    claim->second.receiver.expect(threshold_);
    return &claim->second.receiver;
}

void Claims::prove(const NodeId& node) {
    REQUIRES(claims_.contains(node));
    proven_ = true;
    serving_ = node;
    std::erase_if(claims_, [&](const auto& item) { return item.first != node; });
}

}  // namespace planetserve::exchange
