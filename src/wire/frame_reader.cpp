#include "wire/frame_reader.h"

#include <cstring>

namespace planetserve::wire {

MutableByteView FrameReader::room(std::size_t at_least) {
    // begin_ is 0 here: what is buffered is the front of one frame.
    std::size_t size = std::max(end_ + at_least, std::min(begin_ + needed_, 2 * end_));
    if (buffer_.size() < size) buffer_.resize(size);
    return MutableByteView(buffer_).subspan(end_);
}

void FrameReader::compact() {
    if (begin_ == 0) return;
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

void FrameReader::skip() {
    const std::size_t size = std::min(to_skip_, end_ - begin_);
    begin_ += size;
    to_skip_ -= size;
}

void FrameReader::release() {
    if (buffered() == 0) buffer_ = Bytes{};
}

}  // namespace planetserve::wire
