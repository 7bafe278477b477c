// How busy each model node is, as the group sees it: the paper's load-balance factor F = L * Q / C
// (docs/protocols/routing.md). Stands once a model node. Pure; not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace planetserve::routing {

// What a model node says of itself.
struct LoadReport {
    // L: moving average of service latency, in microseconds.
    std::uint32_t latency_us = 0;
    // Q: requests running and waiting.
    std::uint32_t queued = 0;
    // C: requests it can run at the same time.
    std::uint32_t capacity = 1;
    // Prompt tokens that wait to be computed, of all queued requests; 0 where the engine does not say.
    std::uint32_t queued_tokens = 0;
    // What the engine computes in a second, when it computes prompts and answers; 0 where not known.
    std::uint32_t prefill_tokens_per_second = 0;

    bool operator==(const LoadReport&) const = default;

    double factor() const { return factor(queued); }
    // Until the prompt tokens that wait are computed; 0 where the engine says too little.
    double waiting_seconds() const {
        return prefill_tokens_per_second == 0 ? 0 : double{1} * queued_tokens / prefill_tokens_per_second;
    }
    // As if Q were another one.
    double factor(double queue) const { return latency_us / 1e6 * queue / std::max(capacity, 1u); }
};

// L = 7/8 L + 1/8 of the newest latency; the first latency stands as it is.
class LatencyAverage {
public:
    void add(Duration latency) {
        double sample = static_cast<double>(std::max<Duration::rep>(latency.count(), 0));
        average_us_ = has_sample_ ? average_us_ * 7 / 8 + sample / 8 : sample;
        has_sample_ = true;
    }
    double microseconds() const { return average_us_; }

private:
    double average_us_ = 0;
    bool has_sample_ = false;
};

// The entry node's own forwards that the target's report does not show yet. A report counts as showing those that were
// forwarded before it was made, less a margin for the way there; what is never shown ages out.
class InFlight {
public:
    // Counts a forward. At most `limit` are remembered, the oldest go first.
    void on_forward(Time now, std::uint32_t tokens) {
        if (forwards_.size() == limit) drop_oldest(1);
        forwards_.push_back({now, tokens});
        tokens_ += tokens;
    }
    // A report that was made at that time, by this node's clock, came in.
    void on_report(Time made) {
        auto shown = std::ranges::find_if(forwards_, [&](const Forward& forward) { return forward.at >= made; });
        drop_oldest(shown - forwards_.begin());
    }
    void expire(Time now, Duration age = 30s) { on_report(now - age); }

    std::uint32_t requests() const { return static_cast<std::uint32_t>(forwards_.size()); }
    std::uint64_t tokens() const { return tokens_; }

private:
    static constexpr std::size_t limit = 256;
    struct Forward {
        Time at;
        std::uint32_t tokens = 0;
    };
    void drop_oldest(std::ptrdiff_t count) {
        for (auto forward = forwards_.begin(); forward != forwards_.begin() + count; ++forward)
            tokens_ -= forward->tokens;
        forwards_.erase(forwards_.begin(), forwards_.begin() + count);
    }

    // Most peers have none under way, so it takes memory only where there are some.
    std::vector<Forward> forwards_;
    std::uint64_t tokens_ = 0;
};

}  // namespace planetserve::routing
