// ABCI's framing on a socket: before each message its length, an unsigned varint. Pure.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::consensus {

// Cuts a stream of bytes into messages. Holds no more than one message and the bytes that came with its end. Checks a
// length before it keeps anything for it.
class AbciFrames {
public:
    explicit AbciFrames(std::size_t maximum_message) : maximum_(maximum_message) {}

    void append(ByteView bytes);
    // The next whole message, valid until the next call of either function; nothing until all of it came. An error is
    // final: the stream cannot be read further.
    Result<std::optional<ByteView>> next();

private:
    std::size_t maximum_;
    Bytes buffer_;
    std::size_t read_ = 0;  // of the buffer
};

// Appends a message with its length before it.
void append_abci_frame(Bytes& out, ByteView message);

}  // namespace planetserve::consensus
