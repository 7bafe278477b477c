// Runs of requests, each once: those under way, and replies that are over, kept for retries.
//
// A retry of the same owner, with the same idempotency id, reads the same run (ownership.h). The engine is held back by
// the slowest reader. A run that nobody waits for any more goes on to its end, or stops where its last reader
// cancelled. A run that failed is not kept: a retry runs anew. Not thread-safe.
#pragma once

#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "exchange/envelope.h"
#include "exchange/model_side_limits.h"
#include "exchange/run.h"

namespace planetserve::exchange {

// How a reader leaves its run.
enum class Ending {
    finished,   // the run may go on to its end and be kept
    cancelled,  // the run stops if nobody else waits for it
};

class RunCache {
public:
    // The service, the counters and the events outlive the cache.
    RunCache(const ModelSideLimits& limits, inference::Service& service, ModelSideCounters& counters, RunEvents& events)
        : limits_(limits), service_(service), counters_(counters), events_(events) {}

    // Null when there is none.
    const Run* find(const RunId& id) const;
    // Drops a run that failed once every reader has been told. To be called before a request is started or joined.
    void forget_failed(const RunId& id);
    // Runs a request for its first reader. Requires: there is no run of this id. A refusal of the service becomes the
    // run's error, at once.
    void start(const Ask& ask, inference::Request request, const ExchangeId& reader);
    // Another reader, from the beginning. Requires: there is a run of this id, and it is replayable.
    void join(const RunId& id, const ExchangeId& reader);
    void leave(const RunId& id, const ExchangeId& reader, Ending ending);
    // The reader is done with this many bytes of the body, in all.
    void consumed(const RunId& id, const ExchangeId& reader, std::uint64_t bytes);

    // The run has more to give, or is over. Returns who reads it.
    std::vector<ExchangeId> on_progress(const RunId& id, Time now);
    // Drops failed runs, and replies that are too old or too many. Where replies that are over have readers and are too
    // many, they lose what is read; returns readers that do not read, of those that have been over for longest: their
    // owner has them leave.
    std::vector<ExchangeId> drop_old(Time now);

    bool empty() const { return runs_.empty(); }
    std::size_t active() const;
    // Of replies that are over, with all that belongs to them.
    std::size_t kept_bytes() const { return kept_bytes_; }

private:
    struct KeptRun {
        std::unique_ptr<Run> run;
        std::map<ExchangeId, std::uint64_t> readers;  // and how much of the body each consumed
        std::optional<Time> over_at;
        std::size_t counted = 0;  // in kept_bytes_
    };
    using Runs = std::unordered_map<RunId, KeptRun, IdHash>;

    void drop_unread(Time now);
    std::vector<ExchangeId> surplus_readers();
    void tell_consumed(KeptRun& kept);
    void count(KeptRun& kept);
    void erase(Runs::iterator run);

    ModelSideLimits limits_;
    inference::Service& service_;
    ModelSideCounters& counters_;
    RunEvents& events_;
    Runs runs_;
    std::set<std::pair<Time, RunId>> over_;  // oldest first
    std::vector<RunId> failed_;              // to be dropped; a run may not be destroyed in its own callback
    std::size_t kept_bytes_ = 0;
};

}  // namespace planetserve::exchange
