// A stream that breaks off and what goes on with it, in pieces: the reader gets the same events whatever the pieces,
// and of the first reply nothing that it did not say.

#include "inference/resumable_stream.h"

#include <algorithm>
#include <vector>

#include "fuzz_check.h"

using namespace planetserve;
using inference::ResumableStream;

namespace {

struct Outcome {
    std::vector<std::string> events;
    bool deviated = false;
    bool resumed = false;
    Bytes asked;

    bool operator==(const Outcome&) const = default;
};

Bytes feed(ResumableStream& stream, ByteView reply, std::size_t piece) {
    Bytes out;
    while (!reply.empty()) {
        std::size_t size = std::min(piece, reply.size());
        append(out, stream.take(reply.first(size)));
        reply = reply.subspan(size);
    }
    return out;
}

Outcome run(const std::string& path, const std::string& body, ByteView first, ByteView second, std::size_t piece) {
    Outcome outcome;
    inference::ReplyHead head{200, {{"content-type", "text/event-stream"}}};
    ResumableStream stream(path, to_bytes(body));
    stream.on_head(head);
    Bytes out = feed(stream, first, piece);
    check(out.size() <= first.size() && std::equal(out.begin(), out.end(), first.begin()),
          "the first reply as it came");
    auto asked = stream.resume();
    outcome.resumed = asked.has_value();
    if (asked) {
        outcome.asked = *asked;
        if (!asked->empty()) append(out, feed(stream, second, piece));
    }
    append(out, stream.end());
    outcome.deviated = stream.deviated();
    inference::EventStream events;
    (void)events.feed(as_text(out), [&](std::string_view data) {
        outcome.events.emplace_back(data);
        return true;
    });
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    bool chat = (data[0] & 1) != 0;
    std::string path = chat ? "/v1/chat/completions" : "/v1/completions";
    std::string body = chat ? R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":9)" : R"({"prompt":"Hi")";
    body += (data[0] & 2) != 0 ? R"(,"seed":1})" : "}";
    ByteView replies(data + 4, size - 4);
    std::size_t at = std::min<std::size_t>(data[2] * 256U + data[3], replies.size());
    ByteView first = replies.first(at), second = replies.subspan(at);
    check(run(path, body, first, second, size) == run(path, body, first, second, 1U + data[1]),
          "the same whatever the pieces");
    return 0;
}
