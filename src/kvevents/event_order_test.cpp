#include "kvevents/event_order.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace planetserve::kvevents {
namespace {

// Records the calls: a batch as its text, start_over as "empty" or "unknown", ask_replay as "ask N".
struct Record final : EventOrderOwner {
    bool deliver(ByteView batch) override {
        log.push_back(to_string(batch));
        return batch.size() > 0;
    }
    void start_over(Knowledge knowledge) override {
        log.push_back(knowledge == Knowledge::complete ? "empty" : "unknown");
    }
    void ask_replay(std::uint64_t from) override { log.push_back("ask " + std::to_string(from)); }
    std::vector<std::string> take() { return std::exchange(log, {}); }
    std::vector<std::string> log;
};

using Log = std::vector<std::string>;

class EventOrderTest : public ::testing::Test {
protected:
    void publish(EventOrder& order, std::uint64_t number) {
        order.on_batch(number, as_bytes(std::to_string(number)), now);
    }
    void replay(EventOrder& order, std::uint64_t number) {
        order.on_replayed(number, as_bytes(std::to_string(number)), now);
    }
    Record record;
    Time now{1000s};
};

TEST_F(EventOrderTest, BeginsWithAllThereWas) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    EXPECT_EQ(record.take(), (Log{"ask 0"}));
    publish(order, 2);
    publish(order, 3);
    replay(order, 0);
    replay(order, 1);
    replay(order, 2);
    order.on_replay_end(now);
    publish(order, 4);
    EXPECT_EQ(record.take(), (Log{"empty", "0", "1", "2", "3", "4"}));
    EXPECT_EQ(order.counters().gaps, 0u);
}

TEST_F(EventOrderTest, AnEngineThatHasPublishedNothingHoldsNothing) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    order.on_replay_end(now);
    publish(order, 0);
    EXPECT_EQ(record.take(), (Log{"ask 0", "empty", "0"}));
}

TEST_F(EventOrderTest, WhatIsNoLongerKeptIsUnknown) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    replay(order, 7);
    order.on_replay_end(now);
    publish(order, 8);
    EXPECT_EQ(record.take(), (Log{"ask 0", "unknown", "7", "8"}));
}

TEST_F(EventOrderTest, AGapIsFilled) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    order.on_replay_end(now);
    publish(order, 0);
    record.take();
    publish(order, 3);
    publish(order, 4);
    EXPECT_EQ(record.take(), (Log{"ask 1"}));
    replay(order, 1);
    replay(order, 2);
    replay(order, 3);
    order.on_replay_end(now);
    EXPECT_EQ(record.take(), (Log{"1", "2", "3", "4"}));
    EXPECT_EQ(order.counters().gaps, 1u);
    EXPECT_EQ(order.counters().losses, 0u);
}

TEST_F(EventOrderTest, AGapThatStaysIsALoss) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    order.on_replay_end(now);
    publish(order, 0);
    record.take();
    publish(order, 3);
    for (int i = 0; i < EventOrder::replay_tries; ++i) order.on_replay_end(now);
    EXPECT_EQ(record.take(), (Log{"ask 1", "ask 1", "ask 1", "unknown", "3"}));
    // The engine kept only a part of the missing batches.
    publish(order, 6);
    replay(order, 5);
    order.on_replay_end(now);
    EXPECT_EQ(record.take(), (Log{"ask 4", "unknown", "5", "6"}));
    EXPECT_EQ(order.counters().losses, 2u);
}

TEST_F(EventOrderTest, WhatAReplayLeftOutIsAskedForAgain) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    for (std::uint64_t number : {0, 1, 4, 5}) replay(order, number);
    EXPECT_EQ(record.take(), (Log{"ask 0", "empty", "0", "1"}));
    order.on_replay_end(now);
    for (std::uint64_t number : {2, 3, 4, 5}) replay(order, number);
    order.on_replay_end(now);
    EXPECT_EQ(record.take(), (Log{"ask 2", "2", "3", "4", "5"}));
    EXPECT_FALSE(order.replaying());
    EXPECT_EQ(order.counters().losses, 0u);
}

TEST_F(EventOrderTest, AReplayThatDoesNotGoOnIsGivenUp) {
    EventOrder order(record, Replay::available, 5s);
    order.on_connected(now);
    publish(order, 9);
    now += 4s;
    order.on_timer(now);
    EXPECT_EQ(record.take(), (Log{"ask 0"}));
    now += 1s;
    EXPECT_EQ(order.next_timer(), now);
    for (int tried = 1; tried < EventOrder::replay_tries; ++tried) {
        order.on_timer(now);
        EXPECT_EQ(record.take(), (Log{"ask 0"})) << "a busy engine answers late";
        now += 5s;
    }
    order.on_timer(now);
    EXPECT_EQ(record.take(), (Log{"unknown", "9"}));
    EXPECT_EQ(order.next_timer(), Time::max());
    replay(order, 0);
    publish(order, 10);
    EXPECT_EQ(record.take(), (Log{"10"})) << "an answer that came too late is not looked at";
}

TEST_F(EventOrderTest, AReplayThatStopsInTheMiddleIsAskedForTheRest) {
    EventOrder order(record, Replay::available, 5s);
    order.on_connected(now);
    replay(order, 0);
    publish(order, 3);
    now += EventOrder::replay_pause;
    order.on_timer(now);
    EXPECT_EQ(record.take(), (Log{"ask 0", "empty", "0", "ask 1"}));
    replay(order, 1);
    replay(order, 2);
    replay(order, 3);
    order.on_replay_end(now);
    EXPECT_EQ(record.take(), (Log{"1", "2", "3"}));
}

TEST_F(EventOrderTest, WithoutReplayAGapIsALoss) {
    EventOrder order(record, Replay::unavailable);
    order.on_connected(now);
    publish(order, 0);
    publish(order, 1);
    publish(order, 3);
    EXPECT_EQ(record.take(), (Log{"empty", "0", "1", "unknown", "3"}));
    EventOrder late(record, Replay::unavailable);
    publish(late, 5);
    EXPECT_EQ(record.take(), (Log{"unknown", "5"}));
}

TEST_F(EventOrderTest, ANewLifeBeginsAnew) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    order.on_replay_end(now);
    publish(order, 0);
    publish(order, 1);
    record.take();
    // This number came before.
    publish(order, 0);
    EXPECT_EQ(record.take(), (Log{"ask 0"}));
    replay(order, 0);
    order.on_replay_end(now);
    EXPECT_EQ(record.take(), (Log{"empty", "0"}));
    order.on_disconnected();
    order.on_disconnected();
    EXPECT_EQ(record.take(), (Log{"unknown"}));
    order.on_connected(now);
    EXPECT_EQ(record.take(), (Log{"ask 0"}));
}

TEST_F(EventOrderTest, ABatchThatCannotBeReadVoidsWhatWasBefore) {
    EventOrder order(record, Replay::unavailable);
    publish(order, 0);
    order.on_batch(1, {}, now);
    publish(order, 2);
    EXPECT_EQ(record.take(), (Log{"empty", "0", "", "unknown", "2"}));
    EXPECT_EQ(order.counters().unreadable, 1u);
}

TEST_F(EventOrderTest, WhatWaitsIsBounded) {
    EventOrder order(record, Replay::available);
    order.on_connected(now);
    for (std::uint64_t number = 1; number <= EventOrder::held_limit + 2; ++number) publish(order, number);
    Log log = record.take();
    EXPECT_EQ(log.size(), 2 + EventOrder::held_limit + 2) << "asked, gave up, delivered all";
    EXPECT_FALSE(order.replaying());
}

// Whatever is lost, repeated or late: after start_over, numbers come without a gap.
TEST_F(EventOrderTest, NumbersNeverSkipUnsaid) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SeededRandom random(seed);
        EventOrder order(record, random.below(4) > 0 ? Replay::available : Replay::unavailable);
        std::uint64_t published = 0;
        const std::uint64_t kept = 1 + random.below(30);
        std::optional<std::uint64_t> next;
        for (int step = 0; step < 300; ++step) {
            switch (random.below(20)) {
                case 0:
                    order.on_disconnected();
                    break;
                case 1:
                    order.on_connected(now);
                    break;
                case 2:
                    published = 0;
                    break;
                case 3:
                    now += 3s;
                    order.on_timer(now);
                    break;
                default:
                    if (random.below(5) > 0) publish(order, published);
                    ++published;
            }
            bool asked = false;
            do {
                asked = false;
                for (const std::string& line : record.take()) {
                    if (line.starts_with("ask ")) {
                        asked = true;
                        std::uint64_t from = std::stoull(line.substr(4));
                        if (random.below(8) == 0) continue;  // the request is lost
                        for (std::uint64_t number = published > kept ? published - kept : 0; number < published;
                             ++number)
                            if (number >= from) replay(order, number);
                        order.on_replay_end(now);
                    } else if (line == "empty") {
                        next = 0;
                    } else if (line == "unknown") {
                        next.reset();
                    } else {
                        const std::uint64_t number = std::stoull(line);
                        ASSERT_EQ(number, next.value_or(number)) << "seed " << seed;
                        next = number + 1;
                    }
                }
            } while (asked);
        }
    }
}

}  // namespace
}  // namespace planetserve::kvevents
