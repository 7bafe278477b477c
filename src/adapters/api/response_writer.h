// The bytes of one HTTP/1 response: head, body, the frame around it. Pure: its owner sends what take() gives.
#pragma once

#include <string>
#include <string_view>

#include "adapters/api/api_errors.h"
#include "adapters/api/client_request.h"
#include "inference/service.h"

namespace planetserve::adapters {

class ResponseWriter {
public:
    enum class Stage { nothing, head, finished };
    // How the client learns where the body ends: from its length, its last chunk, or the connection's end.
    enum class Framing { length, chunks, close };

    struct Head {
        inference::ReplyHead reply;
        std::string request_id{};
        Framing framing = Framing::chunks;
        std::size_t length = 0;  // for Framing::length
        ConnectionAfter connection = ConnectionAfter::kept;
    };

    // Requires: nothing was put. A reply's own x-request-id is left out.
    void put_head(const Head& head);
    // Requires, as what follows: the head was put, and the response is not finished.
    void put_body(std::string_view bytes);
    // The last events of a stream that breaks off. Ends an unfinished event first.
    void put_last_events(std::string_view events);
    void finish();

    // The bytes put since the last call.
    std::string take();

    Stage stage() const { return stage_; }
    Framing framing() const { return framing_; }
    bool is_event_stream() const { return is_event_stream_; }
    // Whether the last event is complete, so that another may follow.
    bool at_event_end() const { return tail_.ends_with("\n\n") || tail_.ends_with("\r\n\r\n"); }
    std::size_t body_bytes() const { return body_bytes_; }

private:
    Stage stage_ = Stage::nothing;
    Framing framing_ = Framing::chunks;
    bool is_event_stream_ = false;
    std::string out_;
    std::string tail_ = "\n\n";  // the last bytes of the body; a body begins as after an event
    std::size_t body_bytes_ = 0;
};

}  // namespace planetserve::adapters
