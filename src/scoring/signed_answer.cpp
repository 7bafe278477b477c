#include "scoring/signed_answer.h"

namespace planetserve::scoring {

namespace {

constexpr std::string_view context = "planetserve answer v1";

// Everything but the signature, which comes last.
Bytes unsigned_bytes(const SignedAnswer& answer) {
    Bytes out;
    out.reserve(160 + answer.model.size() + 4 * answer.tokens.size());
    ByteWriter writer(out);
    writer.bytes(answer.node.bytes());
    writer.bytes(answer.nonce.bytes());
    writer.bytes(answer.request);
    writer.u8(static_cast<std::uint8_t>(answer.model.size()));
    writer.bytes(as_bytes(answer.model));
    writer.u8(static_cast<std::uint8_t>(answer.finish));
    writer.u32(answer.prompt_tokens);
    writer.u32(static_cast<std::uint32_t>(answer.tokens.size()));
    for (TokenId token : answer.tokens) writer.u32(number(token));
    return out;
}

}  // namespace

Nonce nonce_of(const IdempotencyId& request) {
    auto digest = crypto::sha256({as_bytes("planetserve nonce v1"), request.bytes()});
    return *Nonce::from(digest);
}

void sign(SignedAnswer& answer, const crypto::Identity& node) {
    answer.node = node.id();
    answer.signature = node.sign(context, unsigned_bytes(answer));
}

Status verify(const SignedAnswer& answer) {
    if (!crypto::verify(answer.node, context, unsigned_bytes(answer), answer.signature))
        return fail(ErrorCode::authentication, "the answer is not signed by node " + answer.node.brief());
    return {};
}

Bytes serialise(const SignedAnswer& answer) {
    Bytes out = unsigned_bytes(answer);
    append(out, answer.signature.bytes());
    return out;
}

Result<SignedAnswer> parse_signed_answer(ByteView bytes) {
    auto malformed = [](const char* what) { return fail(ErrorCode::malformed, what); };
    ByteReader reader(bytes);
    SignedAnswer answer;
    answer.node.value = reader.array<32>();
    answer.nonce.value = reader.array<32>();
    answer.request = reader.array<32>();
    std::size_t length = reader.u8();
    if (length > SignedAnswer::longest_model) return malformed("a signed answer's model has too long a name");
    answer.model = std::string(as_text(reader.bytes(length)));
    std::uint8_t finish = reader.u8();
    if (finish < 1 || finish > 3) return malformed("a signed answer ends for no known reason");
    answer.finish = static_cast<FinishReason>(finish);
    answer.prompt_tokens = reader.u32();
    std::uint32_t count = reader.u32();
    if (count > SignedAnswer::most_tokens || reader.remaining() != 4 * std::size_t{count} + 64)
        return malformed("a signed answer of another size than it says");
    answer.tokens.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) answer.tokens.push_back(TokenId(reader.u32()));
    answer.signature.value = reader.array<64>();
    if (!reader.ok()) return malformed("a signed answer is cut off");
    return answer;
}

}  // namespace planetserve::scoring
