// What a server streams to the experiments' driver and says at /metrics, and the files that name the work: the same
// answer whatever the pieces, numbers that are numbers, work within its limits.

#include "eval/workload/answer_stream.h"

#include <algorithm>
#include <cmath>

#include "eval/workload/engine_metrics.h"
#include "eval/workload/trace.h"
#include "fuzz_check.h"

using namespace planetserve;
using namespace planetserve::eval;

namespace {

struct Outcome {
    bool failed = false;
    bool complete = false;
    std::uint64_t pieces = 0;
    std::uint64_t prompt_tokens = 0;
    std::uint64_t cached_tokens = 0;
    bool operator==(const Outcome&) const = default;
};

Outcome read(ByteView stream, std::size_t piece) {
    AnswerStream answer;
    Outcome outcome;
    for (std::size_t at = 0; at < stream.size() && !outcome.failed; at += piece)
        outcome.failed = !answer.feed(stream.subspan(at, std::min(piece, stream.size() - at)), Time(Duration(1)));
    outcome.complete = answer.complete();
    outcome.pieces = answer.pieces();
    if (answer.usage()) {
        outcome.prompt_tokens = answer.usage()->prompt_tokens;
        outcome.cached_tokens = answer.usage()->cached_tokens.value_or(0);
    }
    check(answer.first_token().has_value() == (answer.pieces() > 0), "a first token where there are tokens");
    return outcome;
}

void check_metrics(std::string_view text) {
    EngineMetrics metrics = parse_engine_metrics(text);
    for (const auto& value : {metrics.running, metrics.waiting})
        check(!value || !std::isnan(*value), "metrics are numbers");
}

void check_work(std::string_view text) {
    if (auto items = parse_workload(text))
        for (const auto& item : *items)
            check(item.max_tokens >= 1 && item.max_tokens <= token_limit, "tokens in range");
    if (auto trace = parse_trace(text))
        for (const auto& request : *trace)
            check(!prompt_of(request, {0.01, 1, 10}).empty(), "every request has a prompt");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    ByteView bytes(data + 1, size - 1);
    Outcome whole = read(bytes, bytes.size() + 1);
    Outcome pieces = read(bytes, 1 + data[0]);
    check(whole.failed == pieces.failed, "fails whatever the pieces");
    if (!whole.failed) check(whole == pieces, "the same answer whatever the pieces");
    check_metrics(as_text(bytes));
    check_work(as_text(bytes));
    return 0;
}
