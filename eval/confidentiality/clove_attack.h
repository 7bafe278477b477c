// Colluding relays and the cloves they captured, with the project's own classes: can they read the message?
#pragma once

#include <span>

#include "crypto/agreement.h"
#include "exchange/records.h"

namespace planetserve::eval {

// One user, one model node, and adversaries who put cloves together across paths. They know what relays and proxies
// may know: the cloves, the exchange's id, all public keys; and have keys of their own.
class CloveAttack {
public:
    CloveAttack(dispersal::Threshold threshold, Random& random);

    // A message as the paper sends it: the cloves hold all that is needed.
    std::vector<Bytes> disperse();
    // A message as this project sends it: a request's record, sealed to the model node.
    std::vector<Bytes> disperse_sealed();

    // Whether the message that was dispersed last comes out.
    bool adversaries_read(std::span<const ByteView> cloves) const;
    bool model_node_reads(std::span<const ByteView> cloves) const;

private:
    bool reads(std::span<const ByteView> cloves, ByteView binding) const;

    dispersal::Threshold threshold_;
    Random& random_;
    crypto::AgreementKey model_node_;
    crypto::AgreementKey adversary_;
    exchange::ExchangeId exchange_;
    Bytes message_;
};

}  // namespace planetserve::eval
