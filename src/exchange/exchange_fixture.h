// For tests: a user and a model node joined by lanes that lose, change, delay and break, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include "exchange/model_side.h"
#include "exchange/user_side.h"
#include "simulator/event_queue.h"

namespace planetserve::exchange {

using simulator::EventQueue;

// An engine whose replies the test writes.
class ScriptedEngine final : public inference::Service {
public:
    struct Call final : inference::Exchange {
        Call(ScriptedEngine& own, inference::Request own_request, inference::ReplySink& own_sink)
            : engine(own), request(std::move(own_request)), sink(own_sink) {}
        ~Call() override {
            ++engine.destroyed;
            std::erase(engine.calls, this);
        }
        void consumed(std::size_t bytes) override { consumed_bytes += bytes; }

        ScriptedEngine& engine;
        inference::Request request;
        inference::ReplySink& sink;
        std::size_t consumed_bytes = 0;
    };

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        if (request.model == "missing") return fail(ErrorCode::not_found, "no such model");
        ++started;
        auto call = std::make_unique<Call>(*this, std::move(request), sink);
        calls.push_back(call.get());
        return call;
    }

    int started = 0;
    int destroyed = 0;
    std::vector<Call*> calls;
};

class ExchangeTest : public testing::Test, public wire::FrameSender, public RunEvents {
protected:
    static constexpr Duration delay = 20ms;

    // A user with its lanes. The handle's first byte is the user's number, its second the lane's.
    struct User final : UserSideOutput, UserSideEvents {
        User(ExchangeTest& own, std::uint8_t own_number, inference::Request request, dispersal::Threshold threshold)
            : test(own), number(own_number) {
            const auto owner = owner_of(request.id, test.user_secret);
            std::vector<Lane> lanes;
            proxies.resize(threshold.n);
            for (std::uint8_t i = 0; i < threshold.n; ++i) lanes.push_back(make_lane(i));
            side = std::make_unique<UserSide>(
                std::move(request), owner, Target{test.model_, test.onion_.public_key()}, threshold, lanes,
                [this](const NodeId& node) { return test.find_onion_key ? test.find_onion_key(node) : std::nullopt; },
                UserSideTiming{}, test.random_, *this, *this);
        }
        Lane make_lane(std::uint8_t lane) {
            Lane made;
            made.proxy.value[0] = 1;
            made.proxy.value[1] = test.one_proxy ? 0 : lane;
            made.proxy.value[2] = test.one_proxy ? 0 : generation++;
            proxies[lane] = made.proxy;
            made.handle = test.random_.id<ReplyHandle>();
            made.handle.value[0] = number;
            made.handle.value[1] = lane;
            return made;
        }
        void send(std::size_t lane, ByteView envelope) override {
            auto parsed = parse_envelope(envelope);
            exchange = ExchangeId{parsed->name.value};
            sent.emplace_back(lane, to_bytes(envelope));
            if (test.lane_forward && !test.lane_forward(lane)) return;
            test.clock_.after(delay, [this, proxy = proxies[lane], bytes = to_bytes(envelope)] {
                test.model_side_->on_clove(proxy, bytes, test.clock_.now());
            });
        }
        std::size_t unsent(std::size_t lane) const override { return lane < held_back.size() ? held_back[lane] : 0; }

        void on_accepted(const NodeId&) override { accepted = true; }
        void on_head(const inference::ReplyHead& reply) override { head = reply; }
        void on_body(ByteView bytes) override {
            append(body, bytes);
            if (reads) side->consumed(bytes.size());
        }
        void on_end() override { ended = true; }
        void on_error(const Error& what) override { error = what; }
        void on_corrupt_lane(std::size_t lane) override { corrupt.insert(lane); }

        ExchangeTest& test;
        std::uint8_t number;
        std::optional<ExchangeId> exchange;
        std::vector<std::pair<std::size_t, Bytes>> sent;
        std::uint8_t generation = 0;
        std::vector<NodeId> proxies;
        std::vector<std::size_t> held_back;
        std::unique_ptr<UserSide> side;
        bool accepted = false, ended = false, reads = true;
        std::optional<inference::ReplyHead> head;
        Bytes body;
        std::optional<Error> error;
        std::set<std::size_t> corrupt;
    };

    ExchangeTest() {
        model_ = random_.id<NodeId>();
        make_model_side();
    }
    void make_model_side() {
        model_side_ = std::make_unique<ModelSide>(model_, onion_, limits_, *this, engine_, random_, *this);
    }

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override {
        if (type == wire::FrameType::forward_answer && forwarding_frames_) return {};
        EXPECT_EQ(type, wire::FrameType::clove_reply);
        Bytes payload;
        for (ByteView part : parts) append(payload, part);
        EXPECT_EQ(to.value[1], one_proxy ? 0 : payload[1]);
        std::size_t lane = payload[1];
        if (lane_backward && !lane_backward(lane, payload)) return {};
        clock_.after(delay, [this, payload, lane] {
            auto user = users_.find(payload[0]);
            if (user != users_.end())
                user->second->side->on_clove(lane, ByteView(payload).subspan(ReplyHandle::size), clock_.now());
        });
        return {};
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }
    void on_run_progress(const RunId& run) override { model_side_->on_run_progress(run, clock_.now()); }

    inference::Request request(std::size_t size = 100, std::string model = "m") {
        Bytes body(size);
        random_.fill(body);
        return {random_.id<IdempotencyId>(), "POST", "/v1/completions", "application/json", std::move(model), body};
    }
    User& ask(inference::Request what, dispersal::Threshold threshold = {4, 3}) {
        auto number = static_cast<std::uint8_t>(users_.size() + 1);
        auto& user = users_[number] = std::make_unique<User>(*this, number, std::move(what), threshold);
        EXPECT_TRUE(user->side->start(clock_.now()));
        return *user;
    }
    void run_for(Duration duration) {
        for (Time end = clock_.now() + duration; clock_.now() < end;) {
            clock_.run_for(std::min<Duration>(100ms, end - clock_.now()));
            model_side_->on_timer(clock_.now());
            for (auto& [number, user] : users_) user->side->on_timer(clock_.now());
        }
    }

    SeededRandom random_{7};
    EventQueue clock_;
    crypto::AgreementKey onion_ = crypto::AgreementKey::generate(random_);
    NodeId model_;
    ScriptedEngine engine_;
    ModelSideLimits limits_;
    std::unique_ptr<ModelSide> model_side_;
    std::map<std::uint8_t, std::unique_ptr<User>> users_;
    crypto::SymmetricKey user_secret;  // of the user that asks
    bool forwarding_frames_ = false;   // answers to forwarded requests are expected
    bool one_proxy = false;            // all lanes end there
    std::function<bool(std::size_t)> lane_forward;
    std::function<std::optional<crypto::AgreementPublicKey>(const NodeId&)> find_onion_key;
    std::function<bool(std::size_t, Bytes&)> lane_backward;
};

}  // namespace planetserve::exchange
