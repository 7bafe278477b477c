#include "simulator/event_queue.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace planetserve::simulator {
namespace {

// One ordered map of all that is to come.
class NaiveQueue {
public:
    Time now() const { return now_; }
    void at(Time time, std::function<void()> run) { events_[{std::max(time, now_), next_++}] = std::move(run); }
    void run_until(Time time) {
        while (!events_.empty() && events_.begin()->first.first <= time) {
            auto event = events_.extract(events_.begin());
            now_ = event.key().first;
            event.mapped()();
        }
        now_ = time;
    }

private:
    Time now_ = EventQueue::beginning;
    std::uint64_t next_ = 0;
    std::map<std::pair<Time, std::uint64_t>, std::function<void()>> events_;
};

// Events that schedule others: at once, with the next frames, with timers far away, in the past, at one time with
// others.
template <typename Queue>
class Scheduler {
public:
    explicit Scheduler(std::uint64_t seed) : random_(seed) {}

    std::vector<std::pair<Time, int>> run() {
        for (int i = 0; i < 50; ++i) schedule();
        Time time = queue_.now();
        for (int i = 0; i < 400; ++i) {
            time += Duration(random_.below(i % 10 == 0 ? 20'000'000 : 5'000));
            queue_.run_until(time);
            EXPECT_EQ(queue_.now(), time);
            schedule();  // from outside, where the queue may have looked further ahead
        }
        return ran_;
    }

private:
    void schedule() {
        static constexpr std::array<std::uint64_t, 6> spans{1, 300, 2'000, 90'000, 300'000, 30'000'000};
        const auto span = spans[random_.below(spans.size())];
        Time time = queue_.now() + Duration(random_.below(span)) - (random_.below(20) == 0 ? 1s : 0s);
        if (random_.below(4) == 0)
            time = EventQueue::beginning + std::chrono::floor<std::chrono::milliseconds>(time - EventQueue::beginning);
        queue_.at(time, [this, id = next_++] {
            ran_.emplace_back(queue_.now(), id);
            if (next_ > 20'000) return;
            for (auto more = random_.below(3); more > 0; --more) schedule();
            if (random_.below(40) == 0)
                for (int i = 0; i < 20; ++i) schedule();
        });
    }

    SeededRandom random_;
    Queue queue_;
    int next_ = 0;
    std::vector<std::pair<Time, int>> ran_;
};

TEST(EventQueue, RunsWhatAnOrderedMapRunsInTheSameOrder) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        auto ran = Scheduler<EventQueue>(seed).run();
        EXPECT_GT(ran.size(), 500u);
        EXPECT_EQ(ran, Scheduler<NaiveQueue>(seed).run()) << "seed " << seed;
    }
}

TEST(EventQueue, StopsAtTheTimeAskedFor) {
    EventQueue queue;
    std::vector<int> ran;
    queue.after(1h, [&] { ran.push_back(3); });
    queue.after(10ms, [&] { ran.push_back(1); });
    queue.run_for(9'999us);
    EXPECT_TRUE(ran.empty());
    queue.run_for(1us);
    EXPECT_EQ(ran, std::vector{1});
    queue.run_for(30min);
    queue.after(Duration{}, [&] { ran.push_back(2); });
    EXPECT_TRUE(queue.run_until_true([&] { return ran.size() == 3; }, 1h));
    EXPECT_EQ(ran, (std::vector{1, 2, 3}));
    EXPECT_EQ(queue.now(), EventQueue::beginning + 1h);
    EXPECT_FALSE(queue.run_until_true([&] { return ran.size() == 4; }, 5s));
    EXPECT_EQ(queue.now(), EventQueue::beginning + 1h + 5s);
    EXPECT_EQ(queue.events_run(), 3u);
}

}  // namespace
}  // namespace planetserve::simulator
