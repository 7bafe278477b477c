#include "inference/admission.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "base/random.h"

namespace planetserve::inference {
namespace {

NodeId neighbour(std::uint8_t number) { return NodeId{{number}}; }

// Runs all that wait, one at a time, and says whose turn it was.
std::string turns(Admission& admission, const std::map<Admission::Ticket, char>& whose, Time now) {
    std::string order;
    while (auto ticket = admission.next(now)) {
        order += whose.at(*ticket);
        admission.finished(*ticket, now);
    }
    return order;
}

TEST(Admission, NeighboursTakeTurnsHoweverManyRequestsOneHas) {
    Admission admission({.capacity = 1, .queue = 32});
    auto running = admission.ask(neighbour(9), Time{});
    std::map<Admission::Ticket, char> whose;
    for (int i = 0; i < 5; ++i) whose[admission.ask(neighbour(1), Time{}).ticket] = 'a';
    for (int i = 0; i < 2; ++i) whose[admission.ask(neighbour(2), Time{}).ticket] = 'b';
    whose[admission.ask(neighbour(3), Time{}).ticket] = 'c';
    admission.finished(running.ticket, Time{});
    EXPECT_EQ(turns(admission, whose, Time{}), "abcabaaa");
}

TEST(Admission, APlaceGoesToTheNeighbourWithFewestRunning) {
    Admission admission({.capacity = 2, .queue = 32});
    auto first = admission.ask(neighbour(1), Time{});
    admission.ask(neighbour(1), Time{});
    admission.ask(neighbour(1), Time{});
    auto other = admission.ask(neighbour(2), Time{});
    admission.finished(first.ticket, Time{});
    EXPECT_EQ(admission.next(Time{}), other.ticket);
}

TEST(Admission, AFullQueueIsSharedOut) {
    Admission admission({.capacity = 1, .queue = 4});
    admission.ask(neighbour(1), Time{});
    std::vector<Admission::Ticket> flood;
    for (int i = 0; i < 4; ++i) flood.push_back(admission.ask(neighbour(1), Time{}).ticket);
    EXPECT_EQ(admission.ask(neighbour(1), Time{}).decision, Admission::Decision::refuse);
    for (int i = 0; i < 2; ++i) {
        auto answer = admission.ask(neighbour(2), Time{});
        EXPECT_EQ(answer.decision, Admission::Decision::wait);
        ASSERT_TRUE(answer.displaced);
        EXPECT_EQ(*answer.displaced, flood.back()) << "the newest";
        flood.pop_back();
        EXPECT_EQ(admission.queued(), 4U);
    }
    EXPECT_EQ(admission.ask(neighbour(2), Time{}).decision, Admission::Decision::refuse) << "it has its share";
    EXPECT_EQ(admission.ask(neighbour(3), Time{}).decision, Admission::Decision::wait);
}

TEST(Admission, ARequestRunsAsLongAsItLikesWhereNobodyWithFewerWaits) {
    Admission admission({.capacity = 2, .queue = 4, .longest_run = 10s});
    auto first = admission.ask(neighbour(1), Time{});
    admission.ask(neighbour(2), Time{});
    EXPECT_TRUE(admission.overdue(Time{1h}).empty());
    admission.ask(neighbour(1), Time{1h});
    EXPECT_TRUE(admission.overdue(Time{1h}).empty()) << "its own neighbour's";
    admission.ask(neighbour(3), Time{5s});
    EXPECT_TRUE(admission.overdue(Time{9s}).empty());
    EXPECT_EQ(admission.overdue(Time{10s}).front(), first.ticket);
}

// On the code before, as many ended as waited, whoever they were.
TEST(Admission, OnlyAsManyRunsEndAsOthersNeed) {
    Admission admission({.capacity = 4, .queue = 32, .longest_run = 10s});
    std::vector<Admission::Ticket> running;
    for (int i = 0; i < 4; ++i) running.push_back(admission.ask(neighbour(1), Time{}).ticket);
    for (int i = 0; i < 5; ++i) admission.ask(neighbour(1), Time{});
    admission.ask(neighbour(2), Time{});
    EXPECT_EQ(admission.overdue(Time{10s}), std::vector{running[0]}) << "one waits of a neighbour with fewer";
    for (int i = 0; i < 5; ++i) admission.ask(neighbour(2), Time{});
    EXPECT_EQ(admission.overdue(Time{10s}), (std::vector{running[0], running[1]})) << "half of the places are its";
    admission.finished(running[3], Time{10s});
    EXPECT_EQ(admission.overdue(Time{10s}), std::vector{running[0]}) << "a free place goes first";
}

TEST(Admission, ShortRequestsGoFirstAndLongOnesAreNotForgotten) {
    Admission admission({.capacity = 1, .queue = 32, .most_tokens = 1000, .each_token = 10ms});
    auto running = admission.ask(neighbour(1), Time{}, 100);
    const auto all = admission.ask(neighbour(1), Time{}, 1'000'000).ticket;
    const auto early = admission.ask(neighbour(1), Time{9s}, 16).ticket;
    const auto late = admission.ask(neighbour(1), Time{11s}, 16).ticket;
    admission.finished(running.ticket, Time{11s});
    std::vector<Admission::Ticket> order;
    while (auto ticket = admission.next(Time{11s})) {
        order.push_back(*ticket);
        admission.finished(*ticket, Time{11s});
    }
    EXPECT_EQ(order, (std::vector{early, all, late}));
}

TEST(Admission, ALongRequestLeavesAFullQueueForAShortOneOfAnEqualShare) {
    Admission admission({.capacity = 1, .queue = 2});
    admission.ask(neighbour(1), Time{}, 400);
    admission.ask(neighbour(1), Time{}, 300);
    const auto longest = admission.ask(neighbour(2), Time{}, 400).ticket;
    EXPECT_EQ(admission.ask(neighbour(2), Time{}, 400).decision, Admission::Decision::refuse);
    auto answer = admission.ask(neighbour(2), Time{}, 20);
    EXPECT_EQ(answer.decision, Admission::Decision::wait);
    EXPECT_EQ(answer.displaced, longest);
    EXPECT_EQ(admission.ask(neighbour(3), Time{2min}, 20).decision, Admission::Decision::refuse)
        << "the one of 300 tokens has waited";
}

// Somebody who asks a hundred times a second through all neighbours that others use. On the code before, all requests
// of others were refused.
TEST(Admission, AFloodOfLongRequestsKeepsNoShortOneOut) {
    constexpr int neighbours = 16;
    SeededRandom random(7);
    auto any_neighbour = [&] { return neighbour(static_cast<std::uint8_t>(random.below(neighbours))); };
    Admission admission({});
    struct Run {
        Time until;
        bool honest;
    };
    std::map<Admission::Ticket, Run> running;
    std::map<Admission::Ticket, Time> waiting;  // honest ones
    std::vector<Duration> waits;
    int asked = 0, refused = 0;
    auto begin = [&](Admission::Ticket ticket, Time now) {
        auto honest = waiting.find(ticket);
        running[ticket] = {now + (honest != waiting.end() ? 200ms : 20s), honest != waiting.end()};
        if (honest == waiting.end()) return;
        waits.push_back(now - honest->second);
        waiting.erase(honest);
    };
    for (Time now{}; now < Time{10min}; now += 10ms) {
        std::erase_if(running, [&](const auto& one) {
            if (one.second.until > now) return false;
            admission.finished(one.first, now);
            return true;
        });
        for (auto ticket : admission.expired(now)) refused += static_cast<int>(waiting.erase(ticket));
        const bool honest = now.time_since_epoch() % Duration{6s} == Duration{3s};
        auto answer = admission.ask(any_neighbour(), now, honest ? 4 : 400);
        if (answer.displaced) refused += static_cast<int>(waiting.erase(*answer.displaced));
        asked += honest ? 1 : 0;
        if (honest && answer.decision == Admission::Decision::refuse) ++refused;
        if (honest && answer.decision != Admission::Decision::refuse) waiting[answer.ticket] = now;
        if (answer.decision == Admission::Decision::start) begin(answer.ticket, now);
        while (auto ticket = admission.next(now)) begin(*ticket, now);
    }
    ASSERT_EQ(asked, 100);
    EXPECT_LE(refused, 2);
    std::ranges::sort(waits);
    EXPECT_LE(waits[waits.size() * 95 / 100], 20s) << "as long as a place takes to become free";
}

// A random run keeps the books: never over capacity or queue, each told once, in order.
TEST(Admission, KeepsItsBoundsInARandomRun) {
    SeededRandom random(42);
    auto below = [&](std::uint64_t n) { return random.below(n); };
    Admission admission({.capacity = 3, .queue = 5, .longest_wait = 10s, .first_estimate = 1s});
    std::set<Admission::Ticket> running;
    std::deque<Admission::Ticket> queue;  // the naive twin
    Time now{};
    std::size_t refused = 0;
    for (int step = 0; step < 20000; ++step) {
        now += Duration(std::chrono::milliseconds(below(500)));
        switch (below(4)) {
            case 0:
            case 1: {
                auto answer = admission.ask(NodeId{}, now);
                if (queue.empty() && running.size() < 3) {
                    ASSERT_EQ(answer.decision, Admission::Decision::start);
                    running.insert(answer.ticket);
                } else if (queue.size() < 5) {
                    ASSERT_EQ(answer.decision, Admission::Decision::wait);
                    queue.push_back(answer.ticket);
                } else {
                    ASSERT_EQ(answer.decision, Admission::Decision::refuse);
                    ++refused;
                }
                break;
            }
            case 2:
                if (!running.empty()) {
                    admission.finished(*running.begin(), now);
                    running.erase(running.begin());
                }
                while (auto ticket = admission.next(now)) {
                    ASSERT_EQ(*ticket, queue.front());
                    queue.pop_front();
                    running.insert(*ticket);
                }
                break;
            default:
                if (below(4) == 0 && !queue.empty()) {
                    auto victim = queue.begin() + static_cast<std::ptrdiff_t>(below(queue.size()));
                    admission.abandoned(*victim);
                    queue.erase(victim);
                }
                for (auto ticket : admission.expired(now)) {
                    ASSERT_EQ(ticket, queue.front());
                    queue.pop_front();
                }
        }
        ASSERT_EQ(admission.running(), running.size());
        ASSERT_EQ(admission.queued(), queue.size());
        ASSERT_GE(admission.retry_after(), std::chrono::seconds(1));
        ASSERT_LE(admission.retry_after(), std::chrono::seconds(120));
    }
    EXPECT_GT(refused, 100U);
}

}  // namespace
}  // namespace planetserve::inference
