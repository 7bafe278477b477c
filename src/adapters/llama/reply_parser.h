// An HTTP/1.1 reply taken apart as its bytes come (RFC 9112), without I/O.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "inference/service.h"

namespace planetserve::adapters {

// The largest head, chunk header or trailer accepted from a server.
inline constexpr std::size_t reply_head_limit = 32 * 1024;

// What one server says in reply to one request. Interim replies (1xx) are passed over.
class ReplyParser {
public:
    ReplyParser();
    ~ReplyParser();
    ReplyParser(ReplyParser&&) noexcept;
    ReplyParser& operator=(ReplyParser&&) noexcept;

    // Takes bytes as read. Fails with malformed, after which nothing more may be fed.
    Status feed(ByteView bytes);
    // The server closed its side: completes a reply that is delimited so, else fails with unavailable.
    Status closed();

    // True once any byte came.
    bool started() const { return started_; }
    bool head_complete() const;
    bool complete() const;
    // Only the headers worth passing on. REQUIRES: head_complete().
    const inference::ReplyHead& head() const;
    // Takes what came of the body since the last time.
    Bytes take_body();
    // True when another request may follow on the connection.
    bool reusable() const;

private:
    class Message;

    std::unique_ptr<Message> message_;
    Bytes pending_;  // not yet parsed: an unfinished line
    unsigned interim_ = 0;
    bool started_ = false;
};

}  // namespace planetserve::adapters
