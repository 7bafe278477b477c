#include "wire/hello.h"

#include "base/words.h"

namespace planetserve::wire {

namespace {

constexpr std::size_t maximum_software = 64;

}  // namespace

Bytes encode(const Hello& hello) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u16(hello.version);
    writer.u16(hello.oldest_compatible);
    writer.bytes(hello.network.bytes());
    writer.u8(static_cast<std::uint8_t>(hello.role));
    std::string software = hello.software.substr(0, maximum_software);
    writer.u8(static_cast<std::uint8_t>(software.size()));
    writer.bytes(as_bytes(software));
    return bytes;
}

// Later versions may append fields, so what follows is ignored.
Result<Hello> parse_hello(ByteView bytes) {
    ByteReader reader(bytes);
    Hello hello;
    hello.version = reader.u16();
    hello.oldest_compatible = reader.u16();
    hello.network.value = reader.array<32>();
    std::uint8_t role = reader.u8();
    std::uint8_t size = reader.u8();
    hello.software = to_string(reader.bytes(size));
    if (!reader.ok() || role < 1 || role > 3 || size > maximum_software || !is_printable(hello.software) ||
        hello.oldest_compatible > hello.version)
        return fail(ErrorCode::malformed, "a hello that does not parse");
    hello.role = static_cast<Role>(role);
    return hello;
}

Admission check_compatible(const Hello& own, const Hello& other) {
    if (other.network != own.network)
        return refuse(GoodbyeReason::other_network, ErrorCode::permission_denied,
                      "the other node is of network " + other.network.brief() + ", this one of " + own.network.brief() +
                          "; both need the same genesis file");
    if (other.version < own.oldest_compatible || own.version < other.oldest_compatible)
        return refuse(GoodbyeReason::incompatible_version, ErrorCode::permission_denied,
                      "the other node speaks link version " + std::to_string(other.version) + " (" + other.software +
                          "), this one " + std::to_string(own.version) + "; update the older one");
    return {};
}

}  // namespace planetserve::wire
