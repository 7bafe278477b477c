#include "exchange/ownership.h"

namespace planetserve::exchange {

namespace {

constexpr std::string_view signing_context = "planetserve request v1";

crypto::Digest digest_of(const RequestHead& head, ByteView body) {
    Bytes texts;
    ByteWriter writer(texts);
    for (const std::string* text : {&head.method, &head.path, &head.content_type, &head.model}) {
        writer.u32(static_cast<std::uint32_t>(text->size()));
        writer.bytes(as_bytes(*text));
    }
    return crypto::sha256({texts, body});
}

Bytes signed_text(const RequestHead& head, const ExchangeId& exchange, const crypto::Digest& digest) {
    Bytes text = to_bytes(exchange.bytes());
    append(text, head.id.bytes());
    append(text, digest);
    return text;
}

}  // namespace

crypto::Identity owner_of(const IdempotencyId& id, const crypto::SymmetricKey& secret) {
    return crypto::Identity::from_seed(crypto::derive_key(id.bytes(), secret.bytes(), "planetserve request owner v1"));
}

RunId run_of(const RequestHead& head) {
    return RunId{crypto::sha256({as_bytes("planetserve run v1"), head.owner.bytes(), head.id.bytes()})};
}

void sign(RequestHead& head, ByteView body, const ExchangeId& exchange, const crypto::Identity& owner) {
    head.owner = OwnerKey{owner.id().value};
    head.signature = owner.sign(signing_context, signed_text(head, exchange, digest_of(head, body)));
}

Result<Ask> check_owner(const RequestHead& head, ByteView body, const ExchangeId& exchange) {
    const crypto::Digest digest = digest_of(head, body);
    if (!crypto::verify(NodeId{head.owner.value}, signing_context, signed_text(head, exchange, digest), head.signature))
        return fail(ErrorCode::invalid_argument,
                    "the request is not signed by its owner; user nodes of older versions sign none");
    return Ask{run_of(head), digest};
}

}  // namespace planetserve::exchange
