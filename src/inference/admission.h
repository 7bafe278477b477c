// Which requests may start: at most so many at once, a bounded queue for the rest, first come first served. Pure: its
// owner hands in the time, and starts and refuses requests as it says.
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
    Duration longest_wait = 120s;  // in the queue; clients give up after a few minutes
    Duration first_estimate = 2s;  // of the time that a request is served, before the first was
};

class Admission {
public:
    using Ticket = std::uint64_t;
    enum class Decision { start, wait, refuse };
    struct Answer {
        Decision decision;
        Ticket ticket;  // of one that may start or wait
    };

    // Requires: limits.capacity > 0.
    explicit Admission(AdmissionLimits limits);

    Answer ask(Time now);
    // A running request was served to its end, which counts for the average; or was cancelled or failed, which does
    // not.
    void finished(Ticket ticket, Time now);
    void abandoned(Ticket ticket);  // running or waiting
    // The next waiting request that may start now. After each request that ended or came, call it until there is none.
    std::optional<Ticket> next(Time now);
    // Takes the requests out of the queue that waited too long.
    std::vector<Ticket> expired(Time now);

    // When a request that is refused now should be tried again: once the queue as it is should be served. 1 to 120 s.
    std::chrono::seconds retry_after() const;

    std::size_t running() const { return running_.size(); }
    std::size_t queued() const { return queue_.size(); }
    // A moving average, 7/8 old and 1/8 new, of the time from start to end; empty before the first end.
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
