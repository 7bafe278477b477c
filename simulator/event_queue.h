// Virtual time: events run in order of their time, those of one time in the order they were scheduled.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

#include "base/time.h"

namespace planetserve::simulator {

class EventQueue final : public Clock {
public:
    // What now() is before anything has run.
    static constexpr Time beginning{1000s};

    explicit EventQueue(UnixTime start = {1'800'000'000'000}) : start_(start) {}

    Time now() const override { return now_; }
    UnixTime unix_now() const override {
        return start_ + std::chrono::duration_cast<std::chrono::milliseconds>(now_ - beginning);
    }

    void at(Time time, std::function<void()> run) { events_.push({std::max(time, now_), next_++, std::move(run)}); }
    void after(Duration delay, std::function<void()> run) { at(now_ + delay, std::move(run)); }

    // Runs what is due up to and including the time, which is then now.
    void run_until(Time time) {
        while (!events_.empty() && events_.top().time <= time) step();
        now_ = time;
    }
    void run_for(Duration duration) { run_until(now_ + duration); }
    // Runs until the condition holds; false when the time came first.
    template <typename Condition>
    bool run_until_true(Condition&& condition, Duration at_most) {
        Time end = now_ + at_most;
        while (!condition()) {
            if (events_.empty() || events_.top().time > end) {
                now_ = end;
                return condition();
            }
            step();
        }
        return true;
    }
    std::uint64_t events_run() const { return run_; }

private:
    struct Event {
        Time time;
        std::uint64_t order;
        std::function<void()> run;
        bool operator<(const Event& other) const { return std::tie(other.time, other.order) < std::tie(time, order); }
    };

    void step() {
        Event event = std::move(const_cast<Event&>(events_.top()));
        events_.pop();
        now_ = event.time;
        ++run_;
        event.run();
    }

    UnixTime start_;
    Time now_ = beginning;
    std::uint64_t next_ = 0;
    std::uint64_t run_ = 0;
    std::priority_queue<Event> events_;
};

}  // namespace planetserve::simulator
