#include "verification_agent/own_statements.h"

namespace planetserve::verification_agent {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t most_statements = 8;

void write_sized(ByteWriter& writer, ByteView bytes) {
    writer.u32(static_cast<std::uint32_t>(bytes.size()));
    writer.bytes(bytes);
}

}  // namespace

Bytes serialise(const OwnStatements& said) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u8(version);
    writer.u64(said.epoch);
    write_sized(writer, said.transcript);
    writer.u8(static_cast<std::uint8_t>(said.statements.size()));
    for (const auto& [kind, statement] : said.statements) {
        write_sized(writer, as_bytes(kind));
        write_sized(writer, statement);
    }
    return bytes;
}

Result<OwnStatements> parse_own_statements(ByteView bytes) {
    ByteReader reader(bytes);
    OwnStatements said;
    bool known = reader.u8() == version;
    said.epoch = reader.u64();
    said.transcript = to_bytes(reader.bytes(reader.u32()));
    std::size_t count = reader.u8();
    known = known && count <= most_statements;
    for (std::size_t i = 0; known && reader.ok() && i < count; ++i) {
        std::string kind(as_text(reader.bytes(reader.u32())));
        said.statements[kind] = to_bytes(reader.bytes(reader.u32()));
    }
    if (!known || !reader.finished()) return fail(ErrorCode::malformed, "no statements of a verification node");
    return said;
}

}  // namespace planetserve::verification_agent
