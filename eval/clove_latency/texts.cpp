#include "eval/clove_latency/texts.h"

#include <algorithm>

#include "eval/workload/trace.h"

namespace planetserve::eval {

namespace {

std::string words(std::uint32_t tokens) {
    TraceRequest request{0, tokens, 0, {}};
    for (std::uint32_t block = 0; block * trace_block_tokens < tokens; ++block) request.hash_ids.push_back(block);
    return prompt_of(request, {});
}

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string event(const std::string& content) {
    return R"(data: {"id":"chatcmpl-3f0c1f9a7c4e4f0d","object":"chat.completion.chunk","created":1750000000,)"
           R"("model":"smollm2-135m-instruct","choices":[{"index":0,"delta":{"content":")" +
           content + R"("},"finish_reason":null}]})" + "\n\n";
}

}  // namespace

Bytes chat_request(std::uint32_t tokens) {
    return bytes_of(R"({"model":"smollm2-135m-instruct","messages":[{"role":"user","content":")" + words(tokens) +
                    R"("}]})");
}

Bytes chat_answer(std::uint32_t tokens) {
    return bytes_of(
        R"({"id":"chatcmpl-3f0c1f9a7c4e4f0d","object":"chat.completion","created":1750000000,)"
        R"("model":"smollm2-135m-instruct","choices":[{"index":0,"message":{"role":"assistant","content":")" +
        words(tokens) +
        R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})");
}

std::vector<Bytes> chat_stream(std::uint32_t tokens) {
    std::vector<Bytes> events;
    for (std::uint32_t i = 0; i < std::max<std::uint32_t>(tokens, 1); ++i) events.push_back(bytes_of(event(" people")));
    events.push_back(bytes_of("data: [DONE]\n\n"));
    return events;
}

}  // namespace planetserve::eval
