// Delivers the batches that an engine publishes in order. Asks for missing batches, and reports when they are lost.
//
// vLLM numbers the batches of its life from 0 and keeps the last ones (10,000 by default) for replay. On connection
// this class asks for all of them. If the replay begins with number 0, the batches describe the whole cache. Later it
// asks for each missing number. If the engine no longer keeps that batch, all earlier batches are void. A number that
// came before, or a lost connection, begins a new life of the engine. Pure. Not thread-safe.
#pragma once

#include <deque>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace planetserve::kvevents {

// How much of the engine's cache the following batches describe.
enum class Knowledge : std::uint8_t {
    complete,  // all of it: they begin with the engine's start
    partial,
};

// Whether the engine can send old batches again.
enum class Replay : std::uint8_t { available, unavailable };

class EventOrderOwner {
public:
    virtual ~EventOrderOwner() = default;
    // The next batch. Return false for an unreadable batch: then all that was delivered before is void too.
    virtual bool deliver(ByteView batch) = 0;
    // All that was delivered is void.
    virtual void start_over(Knowledge knowledge) = 0;
    // Ask the engine to send batches again from this number on. Pass its answers to on_replayed, and their end to
    // on_replay_end. Drop answers to an earlier request.
    virtual void ask_replay(std::uint64_t from) = 0;
};

struct EventOrderCounters {
    std::uint64_t delivered = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t gaps = 0;     // times that numbers were missing
    std::uint64_t replays = 0;  // requests
    std::uint64_t losses = 0;   // missing batches that the engine did not send again
};

class EventOrder {
public:
    // Bounds of the batches that wait for a replay to end. At these limits EventOrder gives up the replay.
    static constexpr std::size_t held_bytes_limit = 64 << 20;
    static constexpr std::size_t held_limit = 16384;  // batches
    static constexpr int replay_tries = 3;

    // The longest pause between two messages of a replay. A socket drops messages when its reader is slow, perhaps the
    // last one too; after this pause EventOrder asks for the rest.
    static constexpr Duration replay_pause = 1s;

    // The owner must outlive this object. Without replay, a missing batch is lost. The deadline is for the first
    // message of a replay.
    EventOrder(EventOrderOwner& owner, Replay replay, Duration replay_deadline = 5s)
        : owner_(owner), replay_(replay), replay_deadline_(replay_deadline) {}

    void on_connected(Time now);
    void on_disconnected();
    void on_batch(std::uint64_t number, ByteView batch, Time now);
    void on_replayed(std::uint64_t number, ByteView batch, Time now);
    void on_replay_end(Time now);
    // Call it at next_timer(), when the replay has stopped.
    void on_timer(Time now);
    Time next_timer() const { return replaying_ ? deadline_ : Time::max(); }

    bool connected() const { return connected_; }
    bool replaying() const { return replaying_; }
    const EventOrderCounters& counters() const { return counters_; }

private:
    struct Held {
        std::uint64_t number;
        Bytes batch;
    };

    void begin(Time now);
    // Forgets this life of the engine.
    void forget();
    // Starts with the first batch known of this life.
    void begin_with(std::uint64_t number);
    void ask(std::uint64_t from, Time now);
    void give_up(Time now);
    void hold(std::uint64_t number, ByteView batch, Time now);
    // Takes the held batches until one is missing.
    void drain(Time now);
    // Returns false if the batch must wait for a replay.
    bool take(std::uint64_t number, ByteView batch, Time now);
    void lose(std::uint64_t next);
    void deliver(std::uint64_t number, ByteView batch);

    EventOrderOwner& owner_;
    Replay replay_;
    Duration replay_deadline_;
    bool connected_ = false;
    bool replaying_ = false;
    Time deadline_{};
    int tries_ = 0;                        // replays since the last delivered batch
    bool progressed_ = false;              // this replay delivered a batch
    bool hole_ = false;                    // and then skipped one
    std::optional<std::uint64_t> next_;    // to deliver; empty until this life's first batch is known
    std::optional<std::uint64_t> newest_;  // the highest number published
    std::deque<Held> held_;                // published during a replay
    std::size_t held_bytes_ = 0;
    EventOrderCounters counters_;
};

}  // namespace planetserve::kvevents
