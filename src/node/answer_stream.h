// What one request's reader is given of its answer: the events of a stream that may resume on another node, and how far
// the reader's window is used. Pure; not thread-safe.
#pragma once

#include <algorithm>
#include <optional>

#include "inference/resumable_stream.h"

namespace planetserve::node {

class AnswerStream {
public:
    // A head was passed to the reader; bodies are passed on from now on.
    bool begun() const { return stream_.has_value(); }
    // Requires: not begun.
    void begin(std::string path, Bytes body, const inference::ReplyHead& head) {
        stream_.emplace(std::move(path), std::move(body));
        stream_->on_head(head);
    }
    // Requires: begun.
    inference::ResumableStream& events() { return *stream_; }

    // A new attempt: nothing of its body came yet.
    void begin_attempt() { received_ = 0; }
    // So many bytes of the attempt's body came.
    void note_received(std::size_t bytes) { received_ += bytes; }
    // So many bytes go to the reader. Returns what the attempt may count as consumed at once: what came where nothing
    // of it waits for the reader, since a resumed answer repeats what the reader has.
    std::size_t note_passed(std::size_t bytes) {
        waiting_ += bytes;
        return waiting_ == 0 ? std::exchange(received_, 0) : 0;
    }
    // The reader has left so much that the node may have to wait for it.
    bool reader_is_behind() const { return waiting_ >= inference::reply_window / 2; }
    // The reader consumed so many bytes. Returns what the attempt may count as consumed.
    std::size_t note_consumed(std::size_t bytes) {
        waiting_ -= std::min(bytes, waiting_);
        // What is passed on differs from what came where an answer is resumed.
        const std::size_t credit = waiting_ == 0 ? received_ : std::min(bytes, received_);
        received_ -= credit;
        return credit;
    }

private:
    std::optional<inference::ResumableStream> stream_;
    std::size_t received_ = 0;  // bytes of this attempt's body that are not counted as consumed
    std::size_t waiting_ = 0;   // bytes that the reader has not consumed
};

}  // namespace planetserve::node
