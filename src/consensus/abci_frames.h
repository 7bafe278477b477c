// ABCI's framing on a socket: each message after its length, an unsigned varint.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::consensus {

// Cuts a stream of bytes into messages. Holds no more than one message and what came with its end; a length is looked
// at before anything is kept for it.
class AbciFrames {
public:
    explicit AbciFrames(std::size_t maximum_message) : maximum_(maximum_message) {}

    void append(ByteView bytes);
    // The next whole message, good until the next call of either function; nothing while it is not all there. An error
    // is for good: the stream cannot be read on.
    Result<std::optional<ByteView>> next();

private:
    std::size_t maximum_;
    Bytes buffer_;
    std::size_t read_ = 0;  // of the buffer
};

// Appends a message with its length before it.
void append_abci_frame(Bytes& out, ByteView message);

}  // namespace planetserve::consensus
