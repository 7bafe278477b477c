// What a model node's end of exchanges may hold and how long it waits, and what it counts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace planetserve::exchange {

struct ModelSideLimits {
    // Open exchanges. A few times what the engines and their queues take at once; each costs some KiB.
    std::size_t maximum_exchanges = 1024;
    // Opened by a clove from one proxy, so that one proxy cannot fill the table; and of those, the ones whose maker has
    // not yet shown that it knows the exchange's key.
    std::size_t maximum_exchanges_of_proxy = 256;
    std::size_t maximum_unverified_of_proxy = 64;
    // Bytes of one request's body: a context of some million tokens as text.
    std::uint64_t maximum_body = 16 << 20;
    // Bytes of cloves and of incomplete requests, in all: 16 of the largest requests at once.
    std::size_t maximum_assembly = 256 << 20;
    // Bytes kept of one reply for retries, and of all replies that are over. A longer reply is not replayed.
    std::size_t maximum_kept_reply = 4 << 20;
    std::size_t maximum_kept_replies = 64 << 20;
    // Bytes of replies that wait for acknowledgements, in all and of the exchanges that one neighbour opened; each
    // exchange may have what is assured in any case. So at most 256 MiB and 64 MiB with 1,024 and 256 exchanges.
    std::size_t maximum_unacknowledged = 128 << 20;
    std::size_t maximum_unacknowledged_of_opener = 32 << 20;
    std::size_t assured_unacknowledged = 128 << 10;
    // Exchanges that one neighbour may open: each costs a key agreement, some 60 us, before anything can be checked.
    double opens_per_second = 50;
    double opens_burst = 256;  // as many as it may have open
    // Between two changes of one lane, each of which may have a window sent again.
    Duration lane_change_interval = 1s;
    // Without a new record of an incomplete request: longer than a slow path needs for one record.
    Duration request_deadline = 30s;
    // Well below the 20 s of silence after which a user gives up (UserSideTiming).
    Duration heartbeat = 5s;
    // With no lane up, the user is taken to be gone: a user replaces a lost lane within a few seconds.
    Duration lanes_deadline = 15s;
    // With a full window and nothing consumed: a reader may pause, but holds the engine meanwhile.
    Duration reader_deadline = 120s;
    // After the end, for cloves that have to be sent again over new lanes.
    Duration linger = 30s;
    // Ended exchanges that are remembered for the same time, so that their last cloves do not open them anew.
    std::size_t maximum_closed = 16384;
    // How long a reply is kept for retries: clients retry within minutes.
    Duration keep_replies = 10min;
    // For another node to take a request: a few round trips. Then a third node is asked, or the request runs here.
    Duration forward_deadline = 2s;
    std::size_t maximum_forwards = 2;  // of one request: each may cost a forward_deadline
    // The user's control records are passed on for this long; by then its lanes lead to the other node, or it gave up
    // (UserSideTiming::accept_deadline) and said so here.
    Duration forward_linger = 8s;
    // A user that cancels here so long after the other node took the request has heard nothing of that node.
    Duration forward_patience = 2s;
    std::size_t maximum_placed = 16384;  // requests whose node is remembered, for their retries
};

struct ModelSideCounters {
    std::uint64_t requests = 0;        // complete ones
    std::uint64_t joined = 0;          // answered from a run that was there
    std::uint64_t cancelled = 0;       // runs stopped because nobody waits for them
    std::uint64_t refused = 0;         // cloves and requests
    std::uint64_t corrupt = 0;         // cloves that others of their record proved wrong
    std::uint64_t evicted = 0;         // unverified exchanges that gave way to others
    std::uint64_t stalled = 0;         // exchanges whose user stopped reading
    std::uint64_t forwarded = 0;       // requests that another node took
    std::uint64_t forward_failed = 0;  // requests that another node did not take
    std::uint64_t taken_over = 0;      // requests taken from other nodes
};

}  // namespace planetserve::exchange
