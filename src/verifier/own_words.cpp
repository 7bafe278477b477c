#include "verifier/own_words.h"

namespace planetserve::verifier {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t most_words = 8;

void write_sized(ByteWriter& writer, ByteView bytes) {
    writer.u32(static_cast<std::uint32_t>(bytes.size()));
    writer.bytes(bytes);
}

}  // namespace

Bytes serialise(const OwnWords& said) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u8(version);
    writer.u64(said.epoch);
    write_sized(writer, said.transcript);
    writer.u8(static_cast<std::uint8_t>(said.words.size()));
    for (const auto& [kind, word] : said.words) {
        write_sized(writer, as_bytes(kind));
        write_sized(writer, word);
    }
    return bytes;
}

Result<OwnWords> parse_own_words(ByteView bytes) {
    ByteReader reader(bytes);
    OwnWords said;
    bool known = reader.u8() == version;
    said.epoch = reader.u64();
    said.transcript = to_bytes(reader.bytes(reader.u32()));
    std::size_t count = reader.u8();
    known = known && count <= most_words;
    for (std::size_t i = 0; known && reader.ok() && i < count; ++i) {
        std::string kind(as_text(reader.bytes(reader.u32())));
        said.words[kind] = to_bytes(reader.bytes(reader.u32()));
    }
    if (!known || !reader.finished()) return fail(ErrorCode::malformed, "no words of a verification node");
    return said;
}

}  // namespace planetserve::verifier
