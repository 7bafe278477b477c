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

std::string_view name_of(StatementKind kind) {
    switch (kind) {
        case StatementKind::draw:
            return "draw";
        case StatementKind::report:
            return "report";
        case StatementKind::recheck:
            return "recheck";
        case StatementKind::commit:
            return "commit";
        case StatementKind::reveal:
            return "reveal";
    }
    return "unknown";
}

Bytes serialise(const OwnStatements& own) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u8(version);
    writer.u64(own.epoch);
    write_sized(writer, own.transcript);
    writer.u8(static_cast<std::uint8_t>(own.statements.size()));
    for (const auto& [kind, statement] : own.statements) {
        write_sized(writer, as_bytes(kind));
        write_sized(writer, statement);
    }
    return bytes;
}

Result<OwnStatements> parse_own_statements(ByteView bytes) {
    ByteReader reader(bytes);
    OwnStatements own;
    bool known = reader.u8() == version;
    own.epoch = reader.u64();
    own.transcript = to_bytes(reader.bytes(reader.u32()));
    std::size_t count = reader.u8();
    known = known && count <= most_statements;
    for (std::size_t i = 0; known && reader.ok() && i < count; ++i) {
        std::string kind(as_text(reader.bytes(reader.u32())));
        own.statements[kind] = to_bytes(reader.bytes(reader.u32()));
    }
    if (!known || !reader.finished())
        return fail(ErrorCode::malformed, "not the remembered statements of a verification node");
    return own;
}

}  // namespace planetserve::verification_agent
