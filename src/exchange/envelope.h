// What the proxies carry between a user and a model node, and the keys that bind it to the two
// (docs/protocols/requests.md).
//
// An exchange is named by the user's fresh X25519 public key. From it and a model node's onion key follow three
// secrets, one for each kind of record; each record's AEAD key depends on its secret besides the dispersed key
// (dispersal/split.h). So the relays and proxies that carry the cloves learn nothing, even when all of them collude,
// and only the node whose onion key was used can read or answer.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "crypto/agreement.h"
#include "crypto/secret.h"

namespace planetserve::exchange {

using ExchangeId = FixedBytes<struct ExchangeIdTag, 32>;

enum class RecordKind : std::uint8_t { request = 1, control = 2, reply = 3 };

struct ExchangeKeys {
    crypto::SymmetricKey request;
    crypto::SymmetricKey control;
    crypto::SymmetricKey reply;
};

// The same at both ends: the user calls it with its fresh key and the model node's public onion key, the model node
// with its onion key and the exchange id. Empty for a key of small order.
std::optional<ExchangeKeys> derive_keys(const crypto::AgreementKey& own, const crypto::AgreementPublicKey& peer,
                                        const ExchangeId& id, const crypto::AgreementPublicKey& model_onion_key);

// User to model node: version (1), kind (1), exchange id (32), clove. Model node to user: version (1), kind (1),
// serving node (32), clove.
inline constexpr std::size_t envelope_header_size = 34;

struct Envelope {
    RecordKind kind{};
    FixedBytes<struct EnvelopeNameTag, 32> name;  // the exchange, or the serving node
    ByteView clove;
};

Bytes seal_envelope(RecordKind kind, ByteView name, ByteView clove);
Result<Envelope> parse_envelope(ByteView bytes);

}  // namespace planetserve::exchange
