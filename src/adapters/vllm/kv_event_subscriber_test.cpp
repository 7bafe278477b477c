#include "adapters/vllm/kv_event_subscriber.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <zmq.hpp>

namespace planetserve::adapters {
namespace {

// [0, [["BlockRemoved", [number]]]]
Bytes batch_of(std::uint64_t number) {
    Bytes batch = *from_hex(
        "920091"
        "92ac426c6f636b52656d6f76656491cf");
    ByteWriter(batch).u64(number);
    return batch;
}

// A publisher like vLLM's: it numbers batches from 0 and keeps the last ones for replay.
class Publisher {
public:
    explicit Publisher(const std::string& endpoint = "tcp://127.0.0.1:*",
                       const std::string& replay = "tcp://127.0.0.1:*") {
        for (auto* socket : {&pub_, &router_}) socket->set(zmq::sockopt::linger, 0);
        pub_.bind(endpoint);
        router_.bind(replay);
    }
    std::string endpoint() { return pub_.get(zmq::sockopt::last_endpoint); }
    std::string replay_endpoint() { return router_.get(zmq::sockopt::last_endpoint); }

    // Counts a batch without sending it, as if it had been lost on its way.
    void publish(const Bytes& batch, bool unseen = false, std::size_t keep = 10'000) {
        const std::uint64_t number = next_++;
        kept_[number] = batch;
        while (kept_.size() > keep) kept_.erase(kept_.begin());
        if (unseen) return;
        pub_.send(zmq::buffer(std::string_view("kv-events")), zmq::send_flags::sndmore);
        send_batch(pub_, number, batch);
    }
    void publish() { publish(batch_of(next_)); }
    // Whether a subscription has come. Batches that are sent before it are lost, unseen by either side.
    bool subscribed() {
        zmq::message_t subscription;
        if (pub_.recv(subscription, zmq::recv_flags::dontwait)) subscribed_ = true;
        return subscribed_;
    }
    void serve_replay() {
        zmq::message_t who, empty, from;
        while (router_.recv(who, zmq::recv_flags::dontwait)) {
            if (!router_.recv(empty) || !router_.recv(from) || from.size() != 8) return;
            ++replays;
            auto send_head = [&] {
                router_.send(zmq::buffer(who.data(), who.size()), zmq::send_flags::sndmore);
                router_.send(zmq::message_t(), zmq::send_flags::sndmore);
            };
            const auto* bytes = static_cast<const std::uint8_t*>(from.data());
            for (auto kept = kept_.lower_bound(load_big_endian<std::uint64_t>({bytes, 8})); kept != kept_.end();
                 ++kept) {
                send_head();
                send_batch(router_, kept->first, kept->second);
            }
            send_head();
            send_batch(router_, 0xffffffffffffffff, {});
        }
    }
    int replays = 0;

private:
    static void send_batch(zmq::socket_t& socket, std::uint64_t number, const Bytes& batch) {
        Bytes head;
        ByteWriter(head).u64(number);
        socket.send(zmq::buffer(head), zmq::send_flags::sndmore);
        socket.send(zmq::buffer(batch));
    }

    zmq::context_t context_;
    zmq::socket_t pub_{context_, zmq::socket_type::xpub};  // a PUB that tells of subscriptions
    zmq::socket_t router_{context_, zmq::socket_type::router};
    std::map<std::uint64_t, Bytes> kept_;
    std::uint64_t next_ = 0;
    bool subscribed_ = false;
};

class KvEventSubscriberTest : public ::testing::Test {
protected:
    void follow(const std::string& endpoint, std::optional<std::string> replay, Duration deadline = 5s) {
        KvEventHandlers handlers{
            .on_events =
                [this](const auto& events) {
                    for (const auto& event : events)
                        told.push_back(std::to_string(std::get<routing::BlocksRemoved>(event).hashes.at(0).value));
                },
            .on_start_over =
                [this](kvevents::Knowledge knowledge) {
                    told.push_back(knowledge == kvevents::Knowledge::complete ? "empty" : "unknown");
                },
            .on_note = [this](const std::string& line,
                              KvNote note) { (note == KvNote::problem ? problems : notes).push_back(line); }};
        subscriber = std::make_unique<KvEventSubscriber>(
            context,
            KvEventOptions{.endpoint = endpoint, .replay_endpoint = std::move(replay), .replay_deadline = deadline},
            std::move(handlers));
        subscriber->run();
    }
    // Serves replays until then.
    bool run_until(const std::function<bool()>& done, Publisher* publisher = nullptr) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done() && std::chrono::steady_clock::now() < end) {
            if (publisher != nullptr) publisher->serve_replay();
            context.restart();
            context.run_one_for(std::chrono::milliseconds(20));
        }
        return done();
    }
    bool told_are(const std::vector<std::string>& expected, Publisher* publisher = nullptr) {
        bool so = run_until([&] { return told == expected; }, publisher);
        EXPECT_EQ(told, expected);
        return so;
    }
    std::string state() const { return subscriber->status().state; }

    boost::asio::io_context context;
    std::vector<std::string> told, notes, problems;
    std::unique_ptr<KvEventSubscriber> subscriber;
};

TEST_F(KvEventSubscriberTest, FollowsFromTheBeginningAndFillsGaps) {
    Publisher publisher;
    publisher.publish();
    publisher.publish();
    follow(publisher.endpoint(), publisher.replay_endpoint());
    EXPECT_EQ(state(), "connecting");
    ASSERT_TRUE(told_are({"empty", "0", "1"}, &publisher));
    ASSERT_TRUE(run_until([&] { return state() == "following" && publisher.subscribed(); }, &publisher));
    publisher.publish(batch_of(2), true);
    publisher.publish();
    ASSERT_TRUE(told_are({"empty", "0", "1", "2", "3"}, &publisher));
    EXPECT_EQ(publisher.replays, 2);
    EXPECT_EQ(subscriber->status().order.gaps, 1u);
    EXPECT_EQ(notes.size(), 1u);
    EXPECT_TRUE(problems.empty()) << problems[0];
}

TEST_F(KvEventSubscriberTest, ManyKeptBatchesComeWhole) {
    Publisher publisher;
    for (int i = 0; i < 5000; ++i) publisher.publish();
    follow(publisher.endpoint(), publisher.replay_endpoint());
    ASSERT_TRUE(run_until([&] { return told.size() == 5001; }, &publisher)) << told.size();
    EXPECT_EQ(told.front(), "empty");
    EXPECT_EQ(told.back(), "4999");
    EXPECT_EQ(subscriber->status().order.losses, 0u);
}

TEST_F(KvEventSubscriberTest, AnEngineThatStartsAnewIsFollowedAnew) {
    auto first = std::make_unique<Publisher>();
    const std::string endpoint = first->endpoint(), replay = first->replay_endpoint();
    first->publish();
    follow(endpoint, replay);
    ASSERT_TRUE(told_are({"empty", "0"}, first.get()));
    first.reset();
    ASSERT_TRUE(told_are({"empty", "0", "unknown"}));
    EXPECT_EQ(state(), "connecting");
    EXPECT_FALSE(subscriber->status().problem.empty());
    Publisher second(endpoint, replay);
    ASSERT_TRUE(told_are({"empty", "0", "unknown", "empty"}, &second));
    ASSERT_TRUE(run_until([&] { return state() == "following"; }, &second));
    // The subscription may come later than the connection. Batches published before it are replayed.
    second.publish();
    ASSERT_TRUE(run_until(
        [&] {
            if (told.size() == 4) second.publish();
            return told.size() >= 6;
        },
        &second));
    EXPECT_EQ(told[4], "0");
    EXPECT_EQ(told[5], "1");
    EXPECT_EQ(subscriber->status().problem, "");
}

TEST_F(KvEventSubscriberTest, WithoutReplayItSaysWhatItDoesNotKnow) {
    Publisher publisher;
    publisher.publish();
    follow(publisher.endpoint(), std::nullopt);
    // Batches are lost until the subscription has reached the publisher.
    ASSERT_TRUE(run_until([&] {
        publisher.publish();
        return !told.empty();
    }));
    EXPECT_EQ(told[0], "unknown");
}

TEST_F(KvEventSubscriberTest, AReplayThatNobodyAnswersIsGivenUp) {
    Publisher publisher;
    publisher.publish();
    follow(publisher.endpoint(), publisher.replay_endpoint(), 100ms);
    ASSERT_TRUE(told_are({"unknown"}));
    EXPECT_EQ(subscriber->status().order.losses, 1u);
}

TEST_F(KvEventSubscriberTest, WhatCannotBeReadIsSaidOnce) {
    Publisher publisher;
    for (int i = 0; i < 3; ++i) publisher.publish(*from_hex("9101"));
    publisher.publish();
    follow(publisher.endpoint(), publisher.replay_endpoint());
    ASSERT_TRUE(told_are({"empty", "unknown", "unknown", "unknown", "3"}, &publisher));
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_NE(problems[0].find("cannot read a batch"), std::string::npos) << problems[0];
    EXPECT_EQ(subscriber->status().order.unreadable, 3u);
}

TEST_F(KvEventSubscriberTest, EndsInTheMiddle) {
    Publisher publisher;
    publisher.publish();
    follow(publisher.endpoint(), publisher.replay_endpoint());
    ASSERT_TRUE(run_until([&] { return state() == "replaying"; }));
    subscriber.reset();
    publisher.serve_replay();
    context.restart();
    context.run_for(std::chrono::milliseconds(50));
    EXPECT_TRUE(told.empty());
}

TEST_F(KvEventSubscriberTest, RefusesAddressesThatCannotBe) {
    for (const char* endpoint : {"", "tcp://", "http://127.0.0.1:5557", "tcp://*:5557", "127.0.0.1:5557"})
        EXPECT_THROW(follow(endpoint, std::nullopt), std::invalid_argument) << endpoint;
}

}  // namespace
}  // namespace planetserve::adapters
