// Which requests may start: at most so many at once, a bounded queue for the rest. Pure: its owner hands in the time,
// and starts, refuses and ends requests as it says.
//
// Users are anonymous, so places are shared among the neighbours that brought the requests (Request::via), by the work
// that these ask for: the tokens that an answer may have at the most, or `usual_tokens` where none are stated. A place
// goes to the neighbour for which the work that its requests began so far, and the next of them, is least: fair
// queueing by finish tags (Golestani, "A self-clocked fair queueing scheme", INFOCOM 1994), in which short requests
// count for more. Among a neighbour's own requests each stands further back by the time that its tokens may take.
//
// Where the queue is full, a neighbour with fewer waiting requests takes the place of the last of the one with most;
// else a request takes the place of the last of all, if that stands behind it and its neighbour has no fewer. So
// somebody who asks for much keeps nobody out who asks for little, through as few neighbours or as many as others use.
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
    std::size_t capacity = 4;                              // requests at once
    std::size_t queue = 32;                                // requests that wait
    Duration longest_wait = 120s;                          // in the queue; clients give up after a few minutes
    Duration first_estimate = 2s;                          // of the time that a request is served, before the first was
    std::uint64_t usual_tokens = 256;                      // of a request that states none
    std::uint64_t fewest_tokens = 16, most_tokens = 1024;  // that count: each has a prompt too, and none waits for ever
    Duration each_token = 300ms;  // by which a request stands behind others of its neighbour, for each token
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

    // tokens: that the answer may have at the most, where the request states that.
    Answer ask(const NodeId& via, Time now, std::optional<std::uint64_t> tokens = std::nullopt);
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
        std::uint64_t tokens;
        Time since;
        Time rank;  // the later, the further back
    };
    struct Running {
        NodeId via;
        Time since;
    };
    struct Neighbour {
        std::deque<Waiting> queue;  // by rank
        std::size_t running = 0;
        std::uint64_t begun = 0;  // tokens of its requests that started, from the level of others when it came
    };
    using Neighbours = std::map<NodeId, Neighbour>;
    struct Share {
        std::size_t running = 0;
        std::size_t waiting = 0;
    };

    void run(Neighbours::iterator neighbour, Ticket ticket, std::uint64_t tokens, Time now);
    void stop(Ticket ticket);
    std::optional<Ticket> displace_for(const Neighbour& neighbour, Time rank);
    void forget_idle(Neighbours::iterator neighbour);

    AdmissionLimits limits_;
    std::map<Ticket, Running> running_;
    Neighbours neighbours_;  // with running or waiting requests
    std::size_t queued_ = 0;
    std::uint64_t level_ = 0;  // what the neighbour had begun whose request started last, before it
    std::optional<Duration> average_;
    Ticket last_ = 0;
};

}  // namespace planetserve::inference
