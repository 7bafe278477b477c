#include "consensus/abci_frames.h"

namespace planetserve::consensus {

namespace {

// Enough for any length below 2^35; longer ones are beyond every limit.
constexpr std::size_t maximum_varint = 5;

}  // namespace

void AbciFrames::append(ByteView bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(read_));
    read_ = 0;
    planetserve::append(buffer_, bytes);
}

Result<std::optional<ByteView>> AbciFrames::next() {
    ByteView rest = ByteView(buffer_).subspan(read_);
    std::uint64_t size = 0;
    std::size_t at = 0;
    for (bool more = true; more; ++at) {
        if (at == maximum_varint) return fail(ErrorCode::malformed, "a message whose length is no number");
        if (at == rest.size()) return std::nullopt;
        size |= std::uint64_t{rest[at] & 0x7FU} << (7 * at);
        more = (rest[at] & 0x80) != 0;
    }
    if (size > maximum_)
        return fail(ErrorCode::exhausted, "a message of " + std::to_string(size) + " bytes; at most " +
                                              std::to_string(maximum_) + " are taken");
    if (rest.size() - at < size) return std::nullopt;
    read_ += at + static_cast<std::size_t>(size);
    return rest.subspan(at, static_cast<std::size_t>(size));
}

void append_abci_frame(Bytes& out, ByteView message) {
    std::uint64_t size = message.size();
    for (; size >= 0x80; size >>= 7) out.push_back(static_cast<std::uint8_t>(size | 0x80));
    out.push_back(static_cast<std::uint8_t>(size));
    append(out, message);
}

}  // namespace planetserve::consensus
