// Data cells: what they say at the two ends of a path, and how they are sealed in between (docs/protocols/paths.md).
//
// A cell body is wire::cell_size bytes everywhere. Innermost it is sealed with AES-256-GCM between the user and the
// proxy, with the count of cells in that direction as nonce, so a cell that is changed, dropped, repeated or moved does
// not open. Each relay adds its own key stream, so the bytes entering a relay are not those leaving it.
//
// Not defended against: tagging. A key stream authenticates nothing, so an entry relay can add a pattern that an
// accomplice at the proxy takes away again; the cell then opens, and nobody notices (docs/threat-model.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/requires.h"
#include "base/result.h"
#include "crypto/cipher.h"
#include "onion/setup.h"
#include "wire/path_sizes.h"

namespace planetserve::onion {

enum class Command : std::uint8_t {
    confirm = 1,     // proxy to user, first cell: the path is up
    open = 2,        // user to proxy: stream to a model node: its id (32), reply handle (16)
    data = 3,        // part of a clove; the first part begins with the clove's size (4)
    close = 4,       // either way: the stream is over; reason (1)
    credit = 5,      // either way: this many (4) more data cells may be sent
    probe = 6,       // user to proxy: 8 bytes to be echoed
    probe_echo = 7,  // proxy to user
    retarget = 8,    // user to proxy: later cloves of the stream go to another model node: its id (32)
};

using StreamId = std::uint32_t;

enum class CloseReason : std::uint8_t {
    finished = 0,
    unreachable = 1,  // the proxy has no link to the model node and could not make one
    overloaded = 2,   // a bound was reached
    protocol = 3,     // the other side broke the protocol
};
std::string_view to_string(CloseReason reason);

inline constexpr std::size_t inner_size = wire::cell_size - crypto::tag_size;
// command (1), flags (1), payload size (2), stream (4)
inline constexpr std::size_t inner_header_size = 8;
inline constexpr std::size_t cell_payload_size = inner_size - inner_header_size;
inline constexpr std::size_t probe_size = 8;
inline constexpr std::size_t clove_length_size = 4;  // in the first part of a clove
inline constexpr std::size_t open_payload_size = NodeId::size + ReplyHandle::size;

// Which part of a clove a data cell carries; `further` for all other commands.
enum class ClovePart : std::uint8_t { further = 0, first = 1 };

struct CellHead {
    Command command{};
    StreamId stream = 0;  // 0 where the command is of the whole path
    ClovePart part = ClovePart::further;
};

struct InnerCell {
    CellHead head;
    ByteView payload;
};

using CellBody = std::array<std::uint8_t, wire::cell_size>;

// Writes the cell in the clear, padded with zeros. Requires: the parts fit cell_payload_size.
void write_inner(CellBody& body, const CellHead& head, std::initializer_list<ByteView> parts);
// Requires: body.size() == wire::cell_size, already opened. The payload is a view into it.
Result<InnerCell> read_inner(ByteView body);

// The innermost layer, between the user and the proxy.
void seal_cell(const crypto::SymmetricKey& key, std::uint64_t counter, MutableByteView body);
[[nodiscard]] bool open_cell(const crypto::SymmetricKey& key, std::uint64_t counter, MutableByteView body);

// How much may be in flight on one path in one direction. A sender starts with `initial` data cells and gets credit for
// more as the receiver processes them, so neither end nor a relay between them has to hold more.
class FlowWindow {
public:
    static constexpr std::uint32_t initial = 256;
    static constexpr std::uint32_t batch = 64;

    bool may_send() const { return available_ > 0; }
    // Requires: may_send().
    void on_sent() {
        REQUIRES(available_ > 0);
        --available_;
    }
    // False when the peer grants more than a window in all: it breaks the protocol.
    [[nodiscard]] bool on_credit(std::uint32_t cells) {
        if (cells > initial - available_) return false;
        available_ += cells;
        return true;
    }
    // Counts a received data cell; false when the sender had no credit for it.
    [[nodiscard]] bool on_received() { return ++outstanding_ <= initial; }
    // A data cell was processed. Returns the credit to send now, or 0.
    std::uint32_t on_done() {
        if (++done_ < batch) return 0;
        std::uint32_t credit = done_;
        done_ = 0;
        outstanding_ -= credit;
        return credit;
    }

private:
    std::uint32_t available_ = initial;
    std::uint32_t outstanding_ = 0;
    std::uint32_t done_ = 0;
};

// Puts a clove back together from data cells. Holds at most one clove of at most wire::maximum_clove_size.
class CloveAssembly {
public:
    // The whole clove when this was its last part.
    Result<std::optional<Bytes>> add(const InnerCell& cell);

private:
    Bytes clove_;
    std::size_t expected_ = 0;
};

// Data cells that a clove takes.
constexpr std::uint32_t cells_of_clove(std::size_t size) {
    return static_cast<std::uint32_t>((clove_length_size + size + cell_payload_size - 1) / cell_payload_size);
}

// Calls emit(ClovePart, size, bytes) for each data cell that a clove takes: the cell's payload is the size, which is
// empty but in the first, then the bytes.
template <typename Emit>
void cut_clove(ByteView clove, Emit&& emit) {
    std::array<std::uint8_t, clove_length_size> size{};
    store_big_endian(MutableByteView(size), static_cast<std::uint32_t>(clove.size()));
    std::size_t taken = std::min(clove.size(), cell_payload_size - size.size());
    emit(ClovePart::first, ByteView(size), clove.first(taken));
    for (clove = clove.subspan(taken); !clove.empty(); clove = clove.subspan(taken)) {
        taken = std::min(clove.size(), cell_payload_size);
        emit(ClovePart::further, ByteView{}, clove.first(taken));
    }
}

}  // namespace planetserve::onion
