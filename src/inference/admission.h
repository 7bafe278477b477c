// Which requests may start: at most so many at once, a bounded queue for the rest. Pure: its owner hands in the time,
// and starts, refuses and ends requests as it says.
//
// Users are anonymous, so places are shared among the neighbours that brought the requests (Request::via). A place goes
// to the neighbour with the fewest running requests, in turn among equals, and to its oldest request. Where the queue
// is full, a neighbour with fewer waiting requests takes the place of the newest of the one with most. So somebody who
// asks without end through a few neighbours cannot keep others out; through as many as others use, it can.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace planetserve::inference {

struct AdmissionLimits {
    std::size_t capacity = 4;      // requests at once
    std::size_t queue = 32;        // requests that wait
    Duration longest_wait = 120s;  // in the queue; clients give up after a few minutes
    Duration first_estimate = 2s;  // of the time that a request is served, before the first was
    // A request may run longer unless a neighbour with fewer running ones waits: thousands of tokens on a slow machine.
    Duration longest_run = 15min;
};

class Admission {
public:
    using Ticket = std::uint64_t;
    enum class Decision { start, wait, refuse };
    struct Answer {
        Decision decision;
        Ticket ticket;                    // of one that may start or wait
        std::optional<Ticket> displaced;  // loses its place in the queue to it
    };

    // Requires: limits.capacity > 0.
    explicit Admission(AdmissionLimits limits);

    Answer ask(const NodeId& via, Time now);
    // A running request was served to its end, which counts for the average; or was cancelled or failed, which does
    // not.
    void finished(Ticket ticket, Time now);
    void abandoned(Ticket ticket);  // running or waiting
    // The next waiting request that may start now. After each request that ended or came, call it until there is none.
    std::optional<Ticket> next(Time now);
    // Takes the requests out of the queue that waited too long.
    std::vector<Ticket> expired(Time now);
    // Running requests that held their place for too long while neighbours with fewer running ones wait, the oldest
    // first, and no more than these need; to be abandoned.
    std::vector<Ticket> overdue(Time now) const;

    // When a request that is refused now should be tried again: once the queue as it is should be served. 1 to 120 s.
    std::chrono::seconds retry_after() const;

    std::size_t running() const { return running_.size(); }
    std::size_t queued() const { return queued_; }
    // A moving average, 7/8 old and 1/8 new, of the time from start to end; empty before the first end.
    std::optional<Duration> average_service() const { return average_; }

private:
    struct Waiting {
        Ticket ticket;
        Time since;
    };
    struct Running {
        NodeId via;
        Time since;
    };
    struct Neighbour {
        std::deque<Waiting> queue;
        std::size_t running = 0;
        std::uint64_t turn = 0;  // grows with each of its requests that starts
    };
    using Neighbours = std::map<NodeId, Neighbour>;
    struct Share {
        std::size_t running = 0;
        std::size_t waiting = 0;
    };

    void run(Neighbours::iterator neighbour, Ticket ticket, Time now);
    void stop(Ticket ticket);
    std::optional<Ticket> displace_for(const Neighbour& neighbour);
    void forget_idle(Neighbours::iterator neighbour);

    AdmissionLimits limits_;
    std::map<Ticket, Running> running_;
    Neighbours neighbours_;  // with running or waiting requests
    std::size_t queued_ = 0;
    std::uint64_t turn_ = 0;  // of the neighbour whose request started last
    std::optional<Duration> average_;
    Ticket last_ = 0;
};

}  // namespace planetserve::inference
