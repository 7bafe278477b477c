#include "scoring/answer_record.h"

#include <bit>
#include <cmath>

namespace planetserve::scoring {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::string_view context = "planetserve answer v1";

Status check(const AnswerRecord& record) {
    if (Status replayable = scorable(record.profile); !replayable) return replayable;
    if (std::signbit(record.profile.temperature)) return fail(ErrorCode::invalid_argument, "a temperature below 0");
    if (record.model.empty() || record.model.size() > 255)
        return fail(ErrorCode::invalid_argument, "a model's name has 1 to 255 bytes");
    if (record.finish < FinishReason::end_of_text || record.finish > FinishReason::context_full)
        return fail(ErrorCode::invalid_argument, "no such finish reason");
    if (record.tokens.size() > record_token_limit)
        return fail(ErrorCode::invalid_argument, "an answer has at most 131072 tokens");
    return {};
}

}  // namespace

Result<Bytes> encode(const AnswerRecord& record) {
    if (Status sound = check(record); !sound) return std::unexpected(sound.error());
    Bytes bytes;
    bytes.reserve(96 + record.model.size() + 4 * record.tokens.size());
    ByteWriter writer(bytes);
    writer.u8(version);
    writer.u8(static_cast<std::uint8_t>(record.model.size()));
    writer.bytes(as_bytes(record.model));
    writer.bytes(record.request);
    writer.bytes(record.nonce.bytes());
    writer.u32(std::bit_cast<std::uint32_t>(record.profile.temperature));
    writer.u16(static_cast<std::uint16_t>(record.profile.top_k));
    writer.u8(record.profile.seed ? 1 : 0);
    writer.u32(record.profile.seed.value_or(0));
    writer.u32(record.profile.max_tokens);
    writer.u8(std::to_underlying(record.finish));
    writer.u32(static_cast<std::uint32_t>(record.tokens.size()));
    for (TokenId token : record.tokens) writer.u32(number(token));
    return bytes;
}

Result<AnswerRecord> parse_answer_record(ByteView bytes) {
    ByteReader reader(bytes);
    AnswerRecord record;
    if (reader.u8() != version) return fail(ErrorCode::malformed, "not an answer record of version 1");
    record.model = as_text(reader.bytes(reader.u8()));
    record.request = reader.array<32>();
    record.nonce.value = reader.array<32>();
    record.profile.temperature = std::bit_cast<float>(reader.u32());
    record.profile.top_k = reader.u16();
    std::uint8_t own_seed = reader.u8();
    std::uint32_t seed = reader.u32();
    if (own_seed > 1 || (own_seed == 0 && seed != 0)) return fail(ErrorCode::malformed, "a seed that is none");
    if (own_seed == 1) record.profile.seed = seed;
    record.profile.max_tokens = reader.u32();
    record.finish = FinishReason(reader.u8());
    std::uint32_t count = reader.u32();
    if (!reader.ok() || reader.remaining() != std::size_t{4} * count || count > record_token_limit)
        return fail(ErrorCode::malformed, "an answer record of the wrong size");
    record.tokens.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) record.tokens.push_back(TokenId(reader.u32()));
    if (Status sound = check(record); !sound) return fail(ErrorCode::malformed, sound.error().message);
    return record;
}

Result<crypto::Signature> sign(const AnswerRecord& record, const crypto::Identity& node) {
    auto bytes = encode(record);
    if (!bytes) return std::unexpected(bytes.error());
    return node.sign(context, *bytes);
}

bool verify(const AnswerRecord& record, const NodeId& node, const crypto::Signature& signature) {
    auto bytes = encode(record);
    return bytes && crypto::verify(node, context, *bytes, signature);
}

}  // namespace planetserve::scoring
