#include "kvevents/msgpack_reader.h"

#include <bit>

namespace planetserve::kvevents {

namespace {

std::uint64_t big_endian(ByteView bytes) {
    std::uint64_t value = 0;
    for (std::uint8_t byte : bytes) value = value << 8 | byte;
    return value;
}

std::uint64_t extend_sign(std::uint64_t value, std::size_t bytes) {
    const std::size_t unused = 64 - 8 * bytes;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

}  // namespace

MsgpackReader::Head MsgpackReader::head() const {
    if (failed_ || rest_.empty()) return {};
    const std::uint8_t first = rest_[0];
    // The first byte has the integer, the count or the length.
    if (first < 0x80) return {Kind::integer, 1, first, 0};
    if (first < 0x90) return {Kind::map, 1, first & 0x0fu, 0};
    if (first < 0xa0) return {Kind::list, 1, first & 0x0fu, 0};
    if (first < 0xc0) return {Kind::text, 1, first & 0x1fu, first & 0x1fu};
    if (first >= 0xe0) return {Kind::integer, 1, extend_sign(first, 1), 0};
    // The next `bytes` bytes have it.
    auto behind = [&](Kind kind, std::size_t bytes, bool has_payload, std::size_t more = 0) -> Head {
        if (rest_.size() < 1 + bytes + more) return {};
        const std::uint64_t value = big_endian(rest_.subspan(1, bytes));
        return {kind, 1 + bytes + more, value, has_payload ? static_cast<std::size_t>(value) : 0};
    };
    const std::size_t width = std::size_t{1} << (first & 3);
    switch (first) {
        case 0xc0:
            return {Kind::nil, 1, 0, 0};
        case 0xc2:
        case 0xc3:
            return {Kind::boolean, 1, first & 1u, 0};
        case 0xc4:
        case 0xc5:
        case 0xc6:
            return behind(Kind::binary, std::size_t{1} << (first - 0xc4), true);
        case 0xc7:
        case 0xc8:
        case 0xc9:
            return behind(Kind::extension, std::size_t{1} << (first - 0xc7), true, 1);
        case 0xca:
            return behind(Kind::real, 4, false);
        case 0xcb:
            return behind(Kind::real, 8, false);
        case 0xcc:
        case 0xcd:
        case 0xce:
        case 0xcf:
            return behind(Kind::integer, width, false);
        case 0xd0:
        case 0xd1:
        case 0xd2:
        case 0xd3: {
            Head found = behind(Kind::integer, width, false);
            found.value = extend_sign(found.value, width);
            return found;
        }
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8: {
            const std::size_t payload = std::size_t{1} << (first - 0xd4);
            return rest_.size() < 2 ? Head{} : Head{Kind::extension, 2, payload, payload};
        }
        case 0xd9:
        case 0xda:
        case 0xdb:
            return behind(Kind::text, std::size_t{1} << (first - 0xd9), true);
        case 0xdc:
        case 0xdd:
            return behind(Kind::list, std::size_t{2} << (first - 0xdc), false);
        case 0xde:
        case 0xdf:
            return behind(Kind::map, std::size_t{2} << (first - 0xde), false);
        default:
            return {};  // 0xc1 is never used
    }
}

MsgpackReader::Kind MsgpackReader::next() const { return head().kind; }

// Consumes the head of the next value if it is of this kind; Kind::nothing accepts any kind.
MsgpackReader::Head MsgpackReader::take(Kind kind) {
    Head found = head();
    bool good = found.kind != Kind::nothing && (kind == Kind::nothing || found.kind == kind) &&
                found.payload <= rest_.size() - found.size;
    const std::size_t room = good ? rest_.size() - found.size - found.payload : 0;
    // Each value has at least one byte.
    if (found.kind == Kind::list) good = good && found.value <= room;
    if (found.kind == Kind::map) good = good && found.value <= room / 2;
    if (!good) {
        failed_ = true;
        return {};
    }
    rest_ = rest_.subspan(found.size);
    return found;
}

bool MsgpackReader::nil() { return take(Kind::nil).kind == Kind::nil; }

std::optional<std::uint64_t> MsgpackReader::integer() {
    const Head found = take(Kind::integer);
    if (found.kind == Kind::nothing) return std::nullopt;
    return found.value;
}

std::optional<double> MsgpackReader::number() {
    if (next() == Kind::integer) return static_cast<double>(static_cast<std::int64_t>(*integer()));
    const Head found = take(Kind::real);
    if (found.kind == Kind::nothing) return std::nullopt;
    if (found.size == 5) return std::bit_cast<float>(static_cast<std::uint32_t>(found.value));
    return std::bit_cast<double>(found.value);
}

std::optional<std::string_view> MsgpackReader::text() {
    const Head found = take(Kind::text);
    if (found.kind == Kind::nothing) return std::nullopt;
    const std::string_view value = as_text(rest_.first(found.payload));
    rest_ = rest_.subspan(found.payload);
    return value;
}

std::optional<ByteView> MsgpackReader::binary() {
    const Head found = take(Kind::binary);
    if (found.kind == Kind::nothing) return std::nullopt;
    const ByteView value = rest_.first(found.payload);
    rest_ = rest_.subspan(found.payload);
    return value;
}

std::optional<std::size_t> MsgpackReader::list() {
    const Head found = take(Kind::list);
    if (found.kind == Kind::nothing) return std::nullopt;
    return static_cast<std::size_t>(found.value);
}

std::optional<std::size_t> MsgpackReader::map() {
    const Head found = take(Kind::map);
    if (found.kind == Kind::nothing) return std::nullopt;
    return static_cast<std::size_t>(found.value);
}

bool MsgpackReader::skip() {
    for (std::uint64_t left = 1; left > 0; --left) {
        const Head found = take(Kind::nothing);
        if (found.kind == Kind::nothing) return false;
        rest_ = rest_.subspan(found.payload);
        if (found.kind == Kind::list) left += found.value;
        if (found.kind == Kind::map) left += 2 * found.value;
    }
    return true;
}

}  // namespace planetserve::kvevents
