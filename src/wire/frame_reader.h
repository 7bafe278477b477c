// Cuts a stream of bytes into frames, in place.
#pragma once

#include <algorithm>

#include "wire/frame.h"

namespace planetserve::wire {

// What becomes of a frame whose header came.
enum class FrameUse {
    take,
    skip,    // it is never held
    refuse,  // nothing can be read after it
};

class FrameReader {
public:
    // Room for bytes to be read into. Grows with what came of a frame whose header was accepted, and not by what the
    // header says: a header alone takes no memory.
    MutableByteView room(std::size_t at_least);
    void filled(std::size_t bytes) { end_ += bytes; }

    // Calls on_frame(type, payload) for each whole frame; the payload may be changed in place and is valid during the
    // call. Stops early when on_frame returns false. use(type) says what becomes of a frame, from its header alone.
    // Fails at a header that is not acceptable or refused; nothing can be read after it.
    template <typename Use, typename OnFrame>
    Status take(Use&& use, OnFrame&& on_frame) {
        while (skip(), end_ - begin_ >= frame_header_size) {
            auto header = parse_frame_header(ByteView(buffer_).subspan(begin_));
            if (!header) return std::unexpected(header.error());
            const FrameUse what = use(header->type);
            if (what == FrameUse::refuse) return fail(ErrorCode::malformed, "a frame that may not come now");
            if (what == FrameUse::skip) {
                begin_ += frame_header_size;
                to_skip_ = header->payload_size;
                ++skipped_;
                continue;
            }
            needed_ = frame_header_size + header->payload_size;
            if (end_ - begin_ < needed_) break;
            MutableByteView payload =
                MutableByteView(buffer_).subspan(begin_ + frame_header_size, header->payload_size);
            begin_ += needed_;
            needed_ = frame_header_size;
            if (!on_frame(header->type, payload)) break;
        }
        compact();
        return {};
    }

    // The same for a reader that takes every type.
    template <typename OnFrame>
    Status take(OnFrame&& on_frame) {
        return take([](FrameType) { return FrameUse::take; }, on_frame);
    }

    std::size_t buffered() const { return end_ - begin_; }
    // Frames that were skipped.
    std::uint64_t skipped() const { return skipped_; }
    std::size_t capacity() const { return buffer_.capacity(); }
    // Gives memory back while nothing is buffered.
    void release();

private:
    void compact();
    void skip();

    Bytes buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t needed_ = frame_header_size;
    std::size_t to_skip_ = 0;  // bytes of a frame that is not taken
    std::uint64_t skipped_ = 0;
};

}  // namespace planetserve::wire
