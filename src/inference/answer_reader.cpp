#include "inference/answer_reader.h"

#include <algorithm>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::size_t reply_memory_limit = 64 << 20;
constexpr std::size_t finish_reason_limit = 64;

std::optional<std::uint64_t> sum(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
    return a && b ? std::optional(*a + *b) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> Answer::prompt_tokens() const {
    return usage.prompt_tokens ? usage.prompt_tokens : sum(timings.cache_n, timings.prompt_n);
}

std::optional<std::uint64_t> Answer::cached_tokens() const {
    return usage.cached_tokens ? usage.cached_tokens : timings.cache_n;
}

void AnswerReader::on_head(const ReplyHead& head) {
    if (head.status == 200) state_ = is_event_stream(head) ? State::events : State::body;
}

void AnswerReader::feed(ByteView bytes) {
    if (state_ == State::events) {
        if (!events_.feed(as_text(bytes), [&](std::string_view data) { return take_event(data); })) stop();
    } else if (state_ == State::body) {
        if (bytes.size() > body_limit - body_.size()) return stop();
        append(body_, bytes);
    }
}

void AnswerReader::end() {
    if (state_ == State::body) {
        auto reply = parse_json(as_text(body_), reply_memory_limit);
        body_ = {};
        if (!reply || !reply->is_object() || is_given(find(&*reply, "error"))) return stop();
        take_reply(*reply);
    }
    if (state_ != State::truncated) state_ = State::ended;
}

void AnswerReader::stop() {
    state_ = State::truncated;
    body_ = {};
}

bool AnswerReader::take_event(std::string_view data) {
    if (data == "[DONE]") {
        answer_.complete = true;
        return true;
    }
    auto event = parse_json(data, reply_memory_limit);
    if (!event || !event->is_object() || is_given(find(&*event, "error")) || text_of(find(&*event, "type")) == "error")
        stop();
    else if (api_ == Api::responses)
        take_response_event(*event);
    else if (api_ == Api::messages)
        take_message_event(*event);
    else
        take_choices(*event);
    return state_ == State::events;
}

void AnswerReader::finish(const json::value* reason) {
    if (auto text = text_of(reason)) answer_.finish_reason = text->substr(0, finish_reason_limit);
}

bool AnswerReader::has_room(std::size_t size) {
    if (state_ == State::truncated) return false;
    if (size > answer_limit - size_) {
        stop();
        return false;
    }
    size_ += size;
    return true;
}

void AnswerReader::add_text(const json::value* text) {
    auto piece = text_of(text);
    if (piece && has_room(piece->size())) answer_.text += *piece;
}

void AnswerReader::add_call(std::uint64_t index, const json::value* name, const json::value* arguments) {
    std::string_view called = text_of(name).value_or("");
    std::string given;
    if (auto text = text_of(arguments))
        given = *text;
    else if (is_given(arguments))
        given = compact(*arguments);
    if (!has_room(called.size() + given.size())) return;
    auto known = std::ranges::find(call_indices_, index);
    if (known == call_indices_.end()) {
        if (call_indices_.size() == tool_call_limit) return stop();
        known = call_indices_.insert(known, index);
        answer_.tool_calls.emplace_back();
    }
    ToolCall& call = answer_.tool_calls[static_cast<std::size_t>(known - call_indices_.begin())];
    call.name += called;
    call.arguments += given;
}

}  // namespace planetserve::inference
