// Reads the reply to a request as it passes: the model's answer, which extends the canonical prompt, and the engine's
// figures.
//
// Takes the replies of the four APIs (prompt.h), streamed or not. Of several answers it reads the first. Pure; never
// throws, whatever the bytes; any split of the bytes gives the same result.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "inference/event_stream.h"
#include "inference/prompt.h"
#include "inference/service.h"

namespace planetserve::inference {

// Tokens, as the engine counts them; empty where it does not say. llama-server gives them at a reply's end, and in
// streams of /v1/chat/completions only if asked to ("stream_options").
struct AnswerUsage {
    std::optional<std::uint64_t> prompt_tokens;  // of the whole prompt, cached or not
    std::optional<std::uint64_t> cached_tokens;  // of those, the ones that the KV cache held
    std::optional<std::uint64_t> completion_tokens;

    bool operator==(const AnswerUsage&) const = default;
};

// llama-server's "timings"; not in replies of /v1/messages, nor in those of /v1/responses that are not streamed.
struct AnswerTimings {
    std::optional<std::uint64_t> cache_n;   // tokens of the prompt that the KV cache held
    std::optional<std::uint64_t> prompt_n;  // tokens of the prompt that were computed
    std::optional<double> prompt_ms;
    std::optional<double> prompt_per_second;
    std::optional<std::uint64_t> predicted_n;
    std::optional<double> predicted_ms;

    bool operator==(const AnswerTimings&) const = default;
};

struct Answer {
    std::string text;  // UTF-8. May begin with the assistant's message that the prompt ended with
    std::vector<ToolCall> tool_calls;
    // The model reasoned before its answer. Its cache holds the reasoning in between, and most clients do not send it
    // back: then the next request shares the prompt, but not the answer.
    bool reasoned = false;
    // As the API names it: "stop", "length", "tool_calls", "end_turn", "completed", ...; at most 64 bytes.
    std::string finish_reason;
    bool complete = false;  // the reply has come to the end that its API defines
    AnswerUsage usage;
    AnswerTimings timings;

    // From usage or timings.
    std::optional<std::uint64_t> prompt_tokens() const;
    std::optional<std::uint64_t> cached_tokens() const;

    bool operator==(const Answer&) const = default;
};

class AnswerReader {
public:
    // Text and tool calls together, in bytes; an event of a stream has at most EventStream::limit.
    static constexpr std::size_t answer_limit = 1 << 20;
    static constexpr std::size_t tool_call_limit = 256;
    static constexpr std::size_t body_limit = 4 << 20;  // of a reply that is not streamed

    explicit AnswerReader(Api api) : api_(api) {}

    // Reads only replies of status 200, and nothing before the head.
    void on_head(const ReplyHead& head);
    void feed(ByteView bytes);
    // The reply came to its end. A reply that is not streamed is read now.
    void end();

    // As far as it was read.
    const Answer& answer() const { return answer_; }
    // Reading stopped before the end: over a limit, not of the API's form, or an error of the engine. The answer is
    // right up to there.
    bool truncated() const { return state_ == State::truncated; }

private:
    enum class State { ignoring, events, body, ended, truncated };

    void stop();
    bool take_event(std::string_view data);
    void take_reply(const boost::json::value& reply);

    void take_choices(const boost::json::value& reply);
    void take_delta(const boost::json::value& delta);
    void take_response_event(const boost::json::value& event);
    void take_response(const boost::json::value& response);
    void take_output_item(const boost::json::value& item);
    void take_message_event(const boost::json::value& event);
    void take_block(const boost::json::value& block, std::uint64_t index);
    void take_usage(const boost::json::value* usage);
    void take_timings(const boost::json::value* timings);
    void finish(const boost::json::value* reason);

    void add_text(const boost::json::value* text);
    void add_call(std::uint64_t index, const boost::json::value* name, const boost::json::value* arguments);
    bool has_room(std::size_t size);

    Api api_;
    State state_ = State::ignoring;
    EventStream events_;
    Bytes body_;
    Answer answer_;
    std::size_t size_ = 0;                     // of text and calls
    std::vector<std::uint64_t> call_indices_;  // the stream's number of each tool call
};

}  // namespace planetserve::inference
