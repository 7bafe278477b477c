// The forms of the four APIs' replies.

#include <boost/json.hpp>

#include "inference/answer_reader.h"
#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

bool has_text(const json::value* value) { return text_of(value) && !text_of(value)->empty(); }

template <typename T>
void replace(std::optional<T>& old, std::optional<T> told) {
    if (told) old = told;
}

}  // namespace

void AnswerReader::take_reply(const json::value& reply) {
    if (api_ == Api::responses) {
        take_response(reply);
    } else if (api_ == Api::messages) {
        if (const auto* content = list_of(find(&reply, "content")))
            for (std::uint64_t index = 0; const auto& block : *content) take_block(block, index++);
        take_usage(find(&reply, "usage"));
        finish(find(&reply, "stop_reason"));
    } else {
        take_choices(reply);
    }
    if (state_ != State::truncated) answer_.complete = true;
}

// Of /v1/chat/completions and /v1/completions, a chunk of a stream or the whole.
void AnswerReader::take_choices(const json::value& reply) {
    if (const auto* choices = list_of(find(&reply, "choices"))) {
        for (const auto& choice : *choices) {
            if (count_of(find(&choice, "index")).value_or(0) != 0) continue;
            add_text(find(&choice, "text"));
            for (const char* name : {"delta", "message"})
                if (const auto* delta = find(&choice, name)) take_delta(*delta);
            finish(find(&choice, "finish_reason"));
        }
    }
    take_usage(find(&reply, "usage"));
    take_timings(find(&reply, "timings"));
}

void AnswerReader::take_delta(const json::value& delta) {
    add_text(find(&delta, "content"));
    if (has_text(find(&delta, "reasoning_content")) || has_text(find(&delta, "reasoning"))) answer_.reasoned = true;
    const auto* calls = list_of(find(&delta, "tool_calls"));
    if (calls == nullptr) return;
    for (std::uint64_t place = 0; const auto& call : *calls) {
        const auto* function = find(&call, "function");
        add_call(count_of(find(&call, "index")).value_or(place++), find(function, "name"), find(function, "arguments"));
    }
}

void AnswerReader::take_response_event(const json::value& event) {
    std::string_view type = text_of(find(&event, "type")).value_or("");
    if (type == "response.output_text.delta") {
        add_text(find(&event, "delta"));
    } else if (type == "response.output_item.done") {
        // The text of a message has come in pieces before.
        const auto* item = find(&event, "item");
        if (item != nullptr && text_of(find(item, "type")) != "message") take_output_item(*item);
    } else if (type == "response.completed" || type == "response.incomplete") {
        if (const auto* response = find(&event, "response")) take_response(*response);
        take_timings(find(&event, "timings"));
        if (state_ != State::truncated) answer_.complete = true;
    } else if (type == "response.failed") {
        stop();
    }
}

void AnswerReader::take_response(const json::value& response) {
    const auto* output = list_of(find(&response, "output"));
    if (output != nullptr && !output->empty()) {
        // All of it once more.
        answer_.text.clear();
        answer_.tool_calls.clear();
        call_indices_.clear();
        size_ = 0;
        for (const auto& item : *output) take_output_item(item);
    }
    take_usage(find(&response, "usage"));
    finish(find(&response, "status"));
}

void AnswerReader::take_output_item(const json::value& item) {
    std::string_view type = text_of(find(&item, "type")).value_or("");
    if (type == "reasoning") {
        answer_.reasoned = true;
    } else if (type == "function_call") {
        add_call(answer_.tool_calls.size(), find(&item, "name"), find(&item, "arguments"));
    } else if (const auto* parts = list_of(find(&item, "content"))) {
        for (const auto& part : *parts) add_text(find(&part, "text"));
    }
}

void AnswerReader::take_message_event(const json::value& event) {
    std::string_view type = text_of(find(&event, "type")).value_or("");
    std::uint64_t index = count_of(find(&event, "index")).value_or(0);
    if (type == "message_start") {
        take_usage(find(find(&event, "message"), "usage"));
    } else if (type == "content_block_start") {
        if (const auto* block = find(&event, "content_block")) take_block(*block, index);
    } else if (type == "content_block_delta") {
        const auto* delta = find(&event, "delta");
        add_text(find(delta, "text"));
        if (const auto* part = find(delta, "partial_json")) add_call(index, nullptr, part);
    } else if (type == "message_delta") {
        take_usage(find(&event, "usage"));
        finish(find(find(&event, "delta"), "stop_reason"));
    } else if (type == "message_stop") {
        answer_.complete = true;
    }
}

void AnswerReader::take_block(const json::value& block, std::uint64_t index) {
    std::string_view type = text_of(find(&block, "type")).value_or("");
    if (type == "text") add_text(find(&block, "text"));
    if (type == "thinking" || type == "redacted_thinking") answer_.reasoned = true;
    if (type != "tool_use") return;
    // In a stream the input begins empty, and comes in pieces of text.
    const auto* input = find(&block, "input");
    bool empty = input != nullptr && input->is_object() && input->get_object().empty();
    add_call(index, find(&block, "name"), empty ? nullptr : input);
}

void AnswerReader::take_usage(const json::value* usage) {
    if (usage == nullptr || !usage->is_object()) return;
    AnswerUsage& known = answer_.usage;
    if (api_ == Api::messages) {
        // Here the input's tokens are those that no cache held.
        auto cached = count_of(find(usage, "cache_read_input_tokens"));
        if (auto input = count_of(find(usage, "input_tokens")))
            known.prompt_tokens =
                *input + cached.value_or(0) + count_of(find(usage, "cache_creation_input_tokens")).value_or(0);
        replace(known.cached_tokens, cached);
        return replace(known.completion_tokens, count_of(find(usage, "output_tokens")));
    }
    bool responses = api_ == Api::responses;
    const auto* details = find(usage, responses ? "input_tokens_details" : "prompt_tokens_details");
    replace(known.prompt_tokens, count_of(find(usage, responses ? "input_tokens" : "prompt_tokens")));
    replace(known.completion_tokens, count_of(find(usage, responses ? "output_tokens" : "completion_tokens")));
    replace(known.cached_tokens, count_of(find(details, "cached_tokens")));
}

void AnswerReader::take_timings(const json::value* timings) {
    AnswerTimings& known = answer_.timings;
    replace(known.cache_n, count_of(find(timings, "cache_n")));
    replace(known.prompt_n, count_of(find(timings, "prompt_n")));
    replace(known.prompt_ms, number_of(find(timings, "prompt_ms")));
    replace(known.prompt_per_second, number_of(find(timings, "prompt_per_second")));
    replace(known.predicted_n, count_of(find(timings, "predicted_n")));
    replace(known.predicted_ms, number_of(find(timings, "predicted_ms")));
}

}  // namespace planetserve::inference
