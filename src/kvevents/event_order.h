// Puts the batches that an engine publishes in order: asks for batches that are missing, and says when they are lost.
//
// vLLM numbers the batches of its life from 0 and keeps the last ones (10,000 by default) for replay. A late subscriber
// asks for all of them. When the replay begins with number 0, the batches tell everything that the cache holds. This
// class asks for each number that is missing. When the engine no longer keeps it, all that was told before is void. A
// number that came before, or a lost connection, begins a new life of the engine. Pure. Not thread-safe.
#pragma once

#include <deque>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace planetserve::kvevents {

// What the batches that follow tell of the engine's cache.
enum class Knowledge : std::uint8_t {
    complete,  // all of it: they begin at the engine's start
    partial,
};

// Whether an engine sends old batches again.
enum class Replay : std::uint8_t { available, unavailable };

class EventOrderOwner {
public:
    virtual ~EventOrderOwner() = default;
    // The next batch. Returns false for a batch that cannot be read: all that was delivered before is then void, too.
    virtual bool deliver(ByteView batch) = 0;
    // All that was delivered is void.
    virtual void start_over(Knowledge knowledge) = 0;
    // Pass the answers to on_replayed, and their end to on_replay_end. An earlier request is void.
    virtual void ask_replay(std::uint64_t from) = 0;
};

struct EventOrderCounters {
    std::uint64_t delivered = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t gaps = 0;     // numbers were missing
    std::uint64_t replays = 0;  // asked for
    std::uint64_t losses = 0;   // missing batches that the engine did not send again
};

class EventOrder {
public:
    // Batches that wait for a replay to end. Beyond these limits the replay is given up.
    static constexpr std::size_t held_bytes_limit = 64 << 20;
    static constexpr std::size_t held_limit = 16384;  // batches
    static constexpr int replay_tries = 3;

    // The longest pause between two messages of a replay. A socket drops messages that a reader cannot take at once,
    // perhaps the last one too; after this pause the rest is asked for.
    static constexpr Duration replay_pause = 1s;

    // The owner outlives it. Without replay, a missing batch is lost. The deadline is for a replay's first message.
    EventOrder(EventOrderOwner& owner, Replay replay, Duration replay_deadline = 5s)
        : owner_(owner), replay_(replay), replay_deadline_(replay_deadline) {}

    void on_connected(Time now);
    void on_disconnected();
    void on_batch(std::uint64_t number, ByteView batch, Time now);
    void on_replayed(std::uint64_t number, ByteView batch, Time now);
    void on_replay_end(Time now);
    // Call it at next_timer(): the replay did not continue.
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
    // Forgets the engine's life so far.
    void forget();
    // The first batch that came of this life.
    void begin_with(std::uint64_t number);
    void ask(std::uint64_t from, Time now);
    void give_up(Time now);
    void hold(std::uint64_t number, ByteView batch, Time now);
    // Takes the batches that are held, until one is missing.
    void drain(Time now);
    // Returns false when the batch has to wait for a replay.
    bool take(std::uint64_t number, ByteView batch, Time now);
    void lose(std::uint64_t next);
    void deliver(std::uint64_t number, ByteView batch);

    EventOrderOwner& owner_;
    Replay replay_;
    Duration replay_deadline_;
    bool connected_ = false;
    bool replaying_ = false;
    Time deadline_{};
    int tries_ = 0;                        // replays since the last batch that was delivered
    bool progressed_ = false;              // this replay brought a batch
    bool hole_ = false;                    // and then left one out
    std::optional<std::uint64_t> next_;    // to be delivered; none until the beginning of this life is known
    std::optional<std::uint64_t> newest_;  // published
    std::deque<Held> held_;                // published while a replay goes on
    std::size_t held_bytes_ = 0;
    EventOrderCounters counters_;
};

}  // namespace planetserve::kvevents
