// Which node answers an exchange, as the user sees it: the target, until another node of the directory proves that it
// has the request by a record that opens. Not thread-safe.
#pragma once

#include <functional>
#include <map>

#include "exchange/records.h"

namespace planetserve::exchange {

struct Target {
    NodeId node;
    crypto::AgreementPublicKey onion_key;
};

class Claims {
public:
    // The onion key of a model node; empty for one that the directory does not list.
    using FindOnionKey = std::function<std::optional<crypto::AgreementPublicKey>(const NodeId&)>;

    Claims(const Target& target, dispersal::Threshold threshold, FindOnionKey find_onion_key, Random& random);

    // The exchange's id: the public half of a fresh key.
    const ExchangeId& id() const { return id_; }
    const NodeId& target() const { return target_.node; }
    // The keys shared with the target; empty where its onion key is of small order. To be called first.
    std::optional<ExchangeKeys> begin();
    // Where cloves of a node's reply go. Null for a node that is not listed, or once another is proven, or too many
    // claim to serve.
    RecordReceiver* receiver_of(const NodeId& node);
    // A record of the node opened. Requires: receiver_of(node) was not null.
    void prove(const NodeId& node);
    bool proven() const { return proven_; }
    // The node that serves: the target until another is proven.
    const NodeId& serving() const { return serving_; }
    bool forwarded() const { return serving_ != target_.node; }
    // Seals control records for the serving node.
    const crypto::SymmetricKey& control_key() const { return claims_.at(serving_).control; }
    // All of its records below this number came.
    std::uint64_t received() const { return claims_.at(serving_).receiver.next(); }

private:
    struct Claim {
        RecordReceiver receiver;
        crypto::SymmetricKey control;
    };

    Target target_;
    dispersal::Threshold threshold_;
    FindOnionKey find_onion_key_;
    crypto::AgreementKey ephemeral_;
    ExchangeId id_;
    NodeId serving_;
    bool proven_ = false;
    std::map<NodeId, Claim> claims_;
};

}  // namespace planetserve::exchange
