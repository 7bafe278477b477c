// The events of a stream under /v1/responses, as far as its last one depends on them: OpenAI's clients wait for
// response.completed, response.incomplete or response.failed. Where the stream breaks off, the node gives the last of
// these. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/api/api_errors.h"
#include "inference/event_stream.h"

namespace planetserve::adapters {

class ResponsesEvents {
public:
    // Bytes of the stream, as they go to the client.
    void see(std::string_view bytes);
    // Whether the stream told how it ended.
    bool ended() const { return ended_; }
    // The event response.failed. `request_id` names the response where the stream has not named it.
    std::string failed(const ApiError& error, std::string_view request_id) const;

private:
    static constexpr std::size_t longest_opening = 256 << 10;  // of the event that tells of the response, bytes
    static constexpr std::size_t longest_event = 16 << 20;     // the last one has the whole answer, bytes

    void event(std::string_view data);

    inference::EventStream events_{longest_event};
    bool readable_ = true;  // no event was over the limit
    std::uint64_t count_ = 0;
    std::string opening_;  // the first event
    bool ended_ = false;
};

}  // namespace planetserve::adapters
