#include "onion/cell.h"

#include <cstring>

#include "base/requires.h"

namespace planetserve::onion {

std::string_view to_string(CloseReason reason) {
    switch (reason) {
        case CloseReason::finished:
            return "finished";
        case CloseReason::unreachable:
            return "the model node cannot be reached";
        case CloseReason::overloaded:
            return "overloaded";
        case CloseReason::protocol:
            return "protocol error";
    }
    return "unknown reason";
}

void write_inner(CellBody& body, const CellHead& head, std::initializer_list<ByteView> parts) {
    std::size_t at = inner_header_size;
    for (ByteView part : parts) at += part.size();
    REQUIRES(at <= inner_size);
    at = inner_header_size;
    for (ByteView part : parts) {
        if (!part.empty()) std::memcpy(body.data() + at, part.data(), part.size());
        at += part.size();
    }
    std::memset(body.data() + at, 0, body.size() - at);
    MutableByteView view(body);
    view[0] = static_cast<std::uint8_t>(head.command);
    view[1] = static_cast<std::uint8_t>(head.part);
    store_big_endian(view.subspan(2), static_cast<std::uint16_t>(at - inner_header_size));
    store_big_endian(view.subspan(4), head.stream);
}

Result<InnerCell> read_inner(ByteView body) {
    REQUIRES(body.size() == wire::cell_size);
    InnerCell cell;
    ByteReader reader(body.first(inner_size));
    std::uint8_t command = reader.u8();
    std::uint8_t flags = reader.u8();
    std::uint16_t size = reader.u16();
    cell.head.stream = reader.u32();
    if (command < static_cast<std::uint8_t>(Command::confirm) || command > static_cast<std::uint8_t>(Command::retarget))
        return fail(ErrorCode::malformed, "cell with unknown command " + std::to_string(command));
    if (flags > 1) return fail(ErrorCode::malformed, "cell with unknown flags");
    if (size > cell_payload_size) return fail(ErrorCode::malformed, "cell whose payload does not fit it");
    cell.head.command = static_cast<Command>(command);
    cell.head.part = static_cast<ClovePart>(flags);
    cell.payload = reader.bytes(size);
    return cell;
}

void seal_cell(const crypto::SymmetricKey& key, std::uint64_t counter, MutableByteView body) {
    auto tag = crypto::seal_in_place(key, crypto::counter_nonce(counter), {}, body.first(inner_size));
    std::copy(tag.begin(), tag.end(), body.begin() + inner_size);
}

bool open_cell(const crypto::SymmetricKey& key, std::uint64_t counter, MutableByteView body) {
    crypto::Tag tag;
    std::copy_n(body.begin() + inner_size, tag.size(), tag.begin());
    return crypto::open_in_place(key, crypto::counter_nonce(counter), {}, body.first(inner_size), tag);
}

Result<std::optional<Bytes>> CloveAssembly::add(const InnerCell& cell) {
    ByteReader reader(cell.payload);
    if (cell.head.part == ClovePart::first) {
        if (expected_ != 0) return fail(ErrorCode::malformed, "a clove began before the one before it was complete");
        std::size_t size = reader.u32();
        if (!reader.ok() || size == 0 || size > wire::maximum_clove_size)
            return fail(ErrorCode::malformed, "a clove of " + std::to_string(size) + " bytes");
        expected_ = size;
        clove_.reserve(size);
    } else if (expected_ == 0) {
        return fail(ErrorCode::malformed, "part of a clove that never began");
    }
    ByteView part = reader.rest();
    if (part.empty() || part.size() > expected_ - clove_.size())
        return fail(ErrorCode::malformed, "a clove that does not have its stated size");
    append(clove_, part);
    if (clove_.size() < expected_) return std::nullopt;
    expected_ = 0;
    return std::exchange(clove_, Bytes{});
}

}  // namespace planetserve::onion
