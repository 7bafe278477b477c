#include "wire/frame_reader.h"

#include <cstring>

namespace planetserve::wire {

MutableByteView FrameReader::room(std::size_t at_least) {
    std::size_t size = std::max(end_ + at_least, begin_ + needed_);
    if (buffer_.size() < size) buffer_.resize(size);
    return MutableByteView(buffer_).subspan(end_);
}

void FrameReader::compact() {
    if (begin_ == 0) return;
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

void FrameReader::release() {
    if (buffered() == 0) buffer_ = Bytes{};
}

}  // namespace planetserve::wire
