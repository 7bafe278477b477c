// How busy each model node is, as the group sees it: the paper's load-balance factor F = L * Q / C
// (docs/protocols/routing.md). Pure; not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace planetserve::routing {

// A model node's report of its load.
struct LoadReport {
    // L: the moving average of service latency, in microseconds (LatencyAverage).
    std::uint32_t latency_us = 0;
    // Q: requests running and waiting.
    std::uint32_t queued = 0;
    // C: requests that the node can run at the same time.
    std::uint32_t capacity = 1;
    // Prompt tokens of queued requests that the engine has not computed yet; 0 if the engine does not say.
    std::uint32_t queued_tokens = 0;
    // Prompt tokens that the engine computes in a second while it also generates answers; 0 if unknown.
    std::uint32_t prefill_tokens_per_second = 0;

    bool operator==(const LoadReport&) const = default;

    double factor() const { return factor(queued); }
    // Seconds until the waiting prompt tokens are computed; 0 if the engine says too little.
    double waiting_seconds() const {
        return prefill_tokens_per_second == 0 ? 0 : double{1} * queued_tokens / prefill_tokens_per_second;
    }
    // F with another Q.
    double factor(double queue) const { return latency_us / 1e6 * queue / std::max(capacity, 1u); }
};

// L = 7/8 L + 1/8 of the newest latency. The first latency is taken as it is.
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

// This node's own forwards that the target's report does not include yet. A report includes the forwards before the
// time at which it was made; the caller subtracts a margin for the network. Forwards that no report includes expire.
class InFlight {
public:
    // Counts a forward. Keeps at most `limit` and drops the oldest.
    void on_forward(Time now, std::uint32_t tokens) {
        if (forwards_.size() == limit) drop_oldest(1);
        forwards_.push_back({now, tokens});
        tokens_ += tokens;
    }
    // A report arrived that was made at this time, by this node's clock.
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

    // A vector, since most peers have none: it allocates only when there is a forward.
    std::vector<Forward> forwards_;
    std::uint64_t tokens_ = 0;
};

}  // namespace planetserve::routing
