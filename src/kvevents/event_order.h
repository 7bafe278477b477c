// Puts an engine's published batches in order: what is missing is asked for, and what cannot be had is admitted.
//
// vLLM numbers the batches of its life from 0 and keeps the last (10,000 by default) for replay. A subscriber that
// comes late asks for all of them: when the replay begins with number 0, what follows is everything that the cache
// holds. A number that is missing is asked for; one that is no longer kept means that what was told before is void. A
// number that was there before, or a lost connection, is a new life. Pure. Not thread-safe.
#pragma once

#include <deque>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace planetserve::kvevents {

class EventOrderOwner {
public:
    virtual ~EventOrderOwner() = default;
    // The next batch. False where it cannot be read: then what was told before is void, too.
    virtual bool deliver(ByteView batch) = 0;
    // What was delivered is void. Complete: what is delivered from now on is all since the engine's start.
    virtual void start_over(bool complete) = 0;
    // Answers go to on_replayed, their end to on_replay_end. A request before this one is void.
    virtual void ask_replay(std::uint64_t from) = 0;
};

struct EventOrderCounters {
    std::uint64_t delivered = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t gaps = 0;     // numbers were missing
    std::uint64_t replays = 0;  // asked for
    std::uint64_t losses = 0;   // what was missing could not be had
};

class EventOrder {
public:
    static constexpr std::size_t held_bytes_limit = 64 << 20;
    static constexpr std::size_t held_limit = 16384;  // batches
    static constexpr int replay_tries = 3;

    // A replay that has begun is expected to go on within this. A socket drops what a reader cannot take at once, the
    // end among it: then the rest is asked for.
    static constexpr Duration replay_pause = 1s;

    // The owner outlives it. Without replay, what is missing is lost. The deadline is for a replay's first message.
    EventOrder(EventOrderOwner& owner, bool can_replay, Duration replay_deadline = 5s)
        : owner_(owner), can_replay_(can_replay), replay_deadline_(replay_deadline) {}

    void on_connected(Time now);
    void on_disconnected();
    void on_batch(std::uint64_t number, ByteView batch, Time now);
    void on_replayed(std::uint64_t number, ByteView batch, Time now);
    void on_replay_end(Time now);
    // When a replay does not go on.
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
    // What is known of a life of the engine.
    void forget();
    // The first batch that is had of it.
    void begin_with(std::uint64_t number);
    void ask(std::uint64_t from, Time now);
    void give_up(Time now);
    void hold(std::uint64_t number, ByteView batch, Time now);
    // What is held is taken, until something is missing.
    void drain(Time now);
    // False where it has to wait for a replay.
    bool take(std::uint64_t number, ByteView batch, Time now);
    void lose(std::uint64_t next);
    void deliver(std::uint64_t number, ByteView batch);

    EventOrderOwner& owner_;
    bool can_replay_;
    Duration replay_deadline_;
    bool connected_ = false;
    bool replaying_ = false;
    Time deadline_{};
    int tries_ = 0;                        // replays since the last batch that was delivered
    bool progressed_ = false;              // this replay brought something
    bool hole_ = false;                    // and then left something out
    std::optional<std::uint64_t> next_;    // to be delivered; none before it is known where this life begins
    std::optional<std::uint64_t> newest_;  // published
    std::deque<Held> held_;                // published while a replay goes on
    std::size_t held_bytes_ = 0;
    EventOrderCounters counters_;
};

}  // namespace planetserve::kvevents
