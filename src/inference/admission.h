// Who may start: at most so many requests at once, a bounded queue for the rest, first come first served. Pure: told
// the time, does nothing itself.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"

namespace planetserve::inference {

struct AdmissionLimits {
    std::size_t capacity = 4;      // requests at once
    std::size_t queue = 32;        // requests that wait
    Duration longest_wait = 120s;  // in the queue
    Duration first_estimate = 2s;  // of how long a request is served, before any was
};

class Admission {
public:
    using Ticket = std::uint64_t;
    enum class Decision { start, wait, refuse };
    struct Answer {
        Decision decision;
        Ticket ticket;  // of one that may start or wait
    };

    // REQUIRES: limits.capacity > 0.
    explicit Admission(AdmissionLimits limits);

    Answer ask(Time now);
    // A running request was served to its end, which counts for the average; or was given up or failed, which does not.
    void finished(Ticket ticket, Time now);
    void abandoned(Ticket ticket);  // also of one that waits
    // The next that waited and may start now. Call until there is none whenever a request went or came.
    std::optional<Ticket> next(Time now);
    // Those who waited for longer than they may; they are forgotten.
    std::vector<Ticket> expired(Time now);

    // How long one refused now had better wait: until the queue, as it is, should have been served. 1 to 120 s.
    std::chrono::seconds retry_after() const;

    std::size_t running() const { return running_.size(); }
    std::size_t queued() const { return queue_.size(); }
    // A moving average, 7/8 old and 1/8 new, of the time from start to end; nothing before the first end.
    std::optional<Duration> average_service() const { return average_; }

private:
    struct Waiting {
        Ticket ticket;
        Time since;
    };

    AdmissionLimits limits_;
    std::map<Ticket, Time> running_;  // since when
    std::deque<Waiting> queue_;
    std::optional<Duration> average_;
    Ticket last_ = 0;
};

}  // namespace planetserve::inference
