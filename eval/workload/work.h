// The work a driver sends: requests and when. From a JSONL file, or from a trace of lengths and shared blocks
// (work_from_trace.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

namespace planetserve::eval {

struct WorkItem {
    std::optional<Duration> at;  // from the start of the run
    std::string messages;        // a JSON array, as the chat endpoint takes it
    std::uint32_t max_tokens = 128;
    std::string session;  // of one session, a request is not sent before the one before it was answered; empty: none
};

inline constexpr std::size_t workload_size_limit = 1U << 30;  // bytes of a file
inline constexpr std::size_t line_size_limit = 8U << 20;
inline constexpr std::size_t item_limit = 1'000'000;
inline constexpr std::uint32_t token_limit = 1U << 20;

// One object a line; empty lines and those that begin with '#' are passed over:
//     {"timestamp_ms": 0, "prompt": "Hello", "max_tokens": 64, "session": "a"}
//     {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}
// Either prompt or messages; all else may be left out. Unknown keys are refused by name. Errors name the line.
Result<std::vector<WorkItem>> parse_workload(std::string_view text);

// A user's prompt as the messages of a request.
std::string user_message(std::string_view prompt);

// Gives the items times of a Poisson process of `rate` a second, the first at 0. REQUIRES: rate > 0.
void arrive_at_rate(std::vector<WorkItem>& items, double rate, Random& random);

// Keeps the items' own times, counted from the first and divided by speed. invalid_argument when one has none.
// REQUIRES: speed > 0.
Status arrive_as_given(std::vector<WorkItem>& items, double speed);

}  // namespace planetserve::eval
