// What an engine or an upstream answers, in pieces: the same reply whatever the pieces.

#include "adapters/llama/reply_parser.h"

#include <algorithm>

#include "fuzz_check.h"

using namespace planetserve;

namespace {

struct Outcome {
    bool failed = false;
    bool complete = false;
    unsigned status = 0;
    Bytes body;
    bool operator==(const Outcome&) const = default;
};

Outcome read(ByteView stream, std::size_t piece) {
    Outcome outcome;
    adapters::ReplyParser parser;
    while (!stream.empty() && !outcome.failed && !parser.complete()) {
        std::size_t size = std::min(stream.size(), piece);
        outcome.failed = !parser.feed(stream.first(size));
        stream = stream.subspan(size);
        if (!outcome.failed && parser.head_complete()) append(outcome.body, parser.take_body());
    }
    outcome.complete = !outcome.failed && parser.complete();
    if (outcome.complete) outcome.status = parser.head().status;
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    ByteView stream(data + 1, size - 1);
    Outcome whole = read(stream, stream.size() + 1);
    Outcome pieces = read(stream, 1 + data[0]);
    check(whole.complete == pieces.complete || whole.failed || pieces.failed, "complete whatever the pieces");
    if (whole.complete && pieces.complete) check(whole == pieces, "the same reply whatever the pieces");
    return 0;
}
