// Virtual time: events run in order of their time, those of one time in the order they were scheduled.
//
// A calendar queue (Brown, 1988): events due within a quarter of a second are in buckets of a millisecond, each sorted
// when its turn comes; later events are in a heap. In a network of thousands of nodes most events are frames, due
// within a tenth of a second, and each touches memory that was not used for long. The next events are known, so the
// memory they touch is prefetched while those before them run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <tuple>
#include <vector>

#include "base/time.h"

namespace planetserve::simulator {

class EventQueue final : public Clock {
public:
    // now() before the first event.
    static constexpr Time beginning{1000s};

    // Memory that an event is going to use: a hint, which need not be true.
    using Memory = std::span<const std::byte>;

    explicit EventQueue(UnixTime start = {1'800'000'000'000}) : start_(start) {}

    Time now() const override { return now_; }
    UnixTime unix_now() const override {
        return start_ + std::chrono::duration_cast<std::chrono::milliseconds>(now_ - beginning);
    }

    void at(Time time, std::function<void()> run, Memory first = {}, Memory second = {});
    void after(Duration delay, std::function<void()> run) { at(now_ + delay, std::move(run)); }

    // Runs the events up to and including the time, which is then now().
    void run_until(Time time) {
        while (due(time)) step();
        now_ = time;
    }
    void run_for(Duration duration) { run_until(now_ + duration); }
    // Runs until the condition holds; false when the time came first.
    template <typename Condition>
    bool run_until_true(Condition&& condition, Duration at_most) {
        Time end = now_ + at_most;
        while (!condition()) {
            if (!due(end)) {
                now_ = end;
                return condition();
            }
            step();
        }
        return true;
    }
    std::uint64_t events_run() const { return run_; }

private:
    using Slot = std::uint32_t;
    struct Entry {
        Time time;
        std::uint64_t order;
        Slot slot;
        bool operator<(const Entry& other) const { return std::tie(time, order) < std::tie(other.time, other.order); }
        bool operator>(const Entry& other) const { return other < *this; }
    };
    using Heap = std::priority_queue<Entry, std::vector<Entry>, std::greater<>>;
    struct alignas(64) Event {
        std::function<void()> run;
        std::array<Memory, 2> memory;
    };
    using Bucket = std::int64_t;

    static constexpr std::size_t bucket_count = 256;
    static Bucket bucket_of(Time time) { return time.time_since_epoch().count() >> 10; }
    std::vector<Entry>& bucket(Bucket number) { return buckets_[static_cast<std::uint64_t>(number) % bucket_count]; }

    void place(const Entry& entry);
    // True when an event is due by the time.
    bool due(Time time);
    // Makes the next bucket with anything in it the current one; false when all are later than the time.
    bool advance(Time time);
    // Runs the next event. Requires: due().
    void step();
    void fetch_ahead() const;

    UnixTime start_;
    Time now_ = beginning;
    std::uint64_t next_ = 0;
    std::uint64_t run_ = 0;

    // Each event is in one place: sorted_ has those of the current bucket that were in it when its turn came (from
    // done_ on they are still to run), late_ those of it or earlier that came since, buckets_ and far_ the later ones.
    Bucket current_ = bucket_of(beginning);
    std::vector<Entry> sorted_;
    std::size_t done_ = 0;
    Heap late_;
    std::array<std::vector<Entry>, bucket_count> buckets_;
    std::size_t in_buckets_ = 0;
    Heap far_;

    std::vector<Event> events_;
    std::vector<Slot> free_;
};

}  // namespace planetserve::simulator
