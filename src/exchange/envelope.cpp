#include "exchange/envelope.h"

#include "crypto/hash.h"

namespace planetserve::exchange {

namespace {

constexpr std::uint8_t version = 1;

}  // namespace

std::optional<ExchangeKeys> derive_keys(const crypto::AgreementKey& own, const crypto::AgreementPublicKey& peer,
                                        const ExchangeId& id, const crypto::AgreementPublicKey& model_onion_key) {
    auto shared = own.agree(peer);
    if (!shared) return std::nullopt;
    Bytes salt = to_bytes(id.bytes());
    append(salt, model_onion_key.bytes());
    crypto::Secret<96> material;
    crypto::hkdf_sha256(salt, shared->bytes(), "planetserve exchange v1", material.bytes());
    ExchangeKeys keys;
    ByteReader reader(material.bytes());
    for (auto* key : {&keys.request, &keys.control, &keys.reply}) {
        ByteView bytes = reader.bytes(32);
        std::copy(bytes.begin(), bytes.end(), key->bytes().begin());
    }
    return keys;
}

Bytes seal_envelope(RecordKind kind, ByteView name, ByteView clove) {
    Bytes bytes;
    bytes.reserve(envelope_header_size + clove.size());
    bytes.push_back(version);
    bytes.push_back(static_cast<std::uint8_t>(kind));
    append(bytes, name);
    append(bytes, clove);
    return bytes;
}

Result<Envelope> parse_envelope(ByteView bytes) {
    ByteReader reader(bytes);
    if (reader.u8() != version) return fail(ErrorCode::malformed, "an envelope of another version");
    std::uint8_t kind = reader.u8();
    if (kind < 1 || kind > 3) return fail(ErrorCode::malformed, "an envelope of unknown kind");
    Envelope envelope{static_cast<RecordKind>(kind), {reader.array<32>()}, reader.rest()};
    if (!reader.ok() || envelope.clove.empty()) return fail(ErrorCode::malformed, "an envelope without a clove");
    return envelope;
}

}  // namespace planetserve::exchange
