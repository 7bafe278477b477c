// Parses an HTTP/1.1 reply as its bytes come (RFC 9112). Pure.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "inference/service.h"

namespace planetserve::adapters {

// The largest head, chunk header or trailer that is accepted from a server, in bytes.
inline constexpr std::size_t reply_head_limit = 32 * 1024;

// One reply to one request. It skips interim replies (1xx).
class ReplyParser {
public:
    ReplyParser();
    ~ReplyParser();
    ReplyParser(ReplyParser&&) noexcept;
    ReplyParser& operator=(ReplyParser&&) noexcept;

    // Takes bytes in any pieces. After it failed with malformed, nothing more may be fed.
    Status feed(ByteView bytes);
    // The server closed its side: this completes a reply that ends so, and fails with internal otherwise.
    Status closed();

    // True once any byte came.
    bool started() const { return started_; }
    bool head_complete() const;
    bool complete() const;
    // With the headers that are worth passing on. Requires: head_complete().
    const inference::ReplyHead& head() const;
    // Takes the part of the body that came since the last call.
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
