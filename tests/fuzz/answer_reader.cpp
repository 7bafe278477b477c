// The reply of an engine, in pieces: the same answer whatever the pieces, and within its bounds.

#include "inference/answer_reader.h"

#include <algorithm>

#include "fuzz_check.h"

using namespace planetserve;
using inference::AnswerReader;

namespace {

AnswerReader read(inference::Api api, bool events, ByteView reply, std::size_t piece) {
    AnswerReader reader(api);
    reader.on_head({200, {{"content-type", events ? "text/event-stream" : "application/json"}}});
    while (!reply.empty()) {
        std::size_t size = std::min(piece, reply.size());
        reader.feed(reply.first(size));
        reply = reply.subspan(size);
    }
    reader.end();
    return reader;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    auto api = static_cast<inference::Api>(data[0] & 3);
    bool events = (data[0] & 4) != 0;
    ByteView reply(data + 2, size - 2);
    AnswerReader whole = read(api, events, reply, size);
    AnswerReader pieces = read(api, events, reply, 1U + data[1]);
    check(whole.answer() == pieces.answer(), "the same answer whatever the pieces");
    check(whole.truncated() == pieces.truncated(), "read as far whatever the pieces");
    const inference::Answer& answer = whole.answer();
    std::size_t total = answer.text.size();
    for (const auto& call : answer.tool_calls) total += call.name.size() + call.arguments.size();
    check(total <= AnswerReader::answer_limit, "an answer within its limit");
    check(answer.tool_calls.size() <= AnswerReader::tool_call_limit, "calls within their limit");
    check(answer.text.find('\xff') == std::string::npos, "text is UTF-8");
    return 0;
}
