#include "eval/churn/churn_network.h"

#include <cmath>

#include "eval/adversary/geography.h"
#include "node/model_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::eval {

namespace {

using simulator::EventQueue;
using simulator::Network;
using simulator::NodeHost;

// As in a genesis of default parameters, and as clients fetch.
constexpr Duration lease = 30s;
constexpr Duration renewal = 10s;
constexpr Duration block = 1s;
constexpr Duration fetch = 3s;

constexpr Duration watching = 50ms;
constexpr std::size_t answer_tokens = 40;

struct Reply final : inference::ReplySink {
    Reply(const Clock& own_clock, std::size_t own_place, ByteView body)
        : clock(own_clock),
          place(own_place),
          asked(clock.now()),
          expected(simulator::TokenEngine::answer(body, answer_tokens)) {}
    void on_head(const inference::ReplyHead&) override {}
    void on_body(ByteView bytes) override {
        if (!first) first = clock.now();
        text += planetserve::to_string(bytes);
        if (exchange) exchange->consumed(bytes.size());
    }
    void on_end() override { ended = true; }
    bool delivered() const { return ended && text == expected; }
    void on_error(const Error&) override { failed = true; }

    const Clock& clock;
    const std::size_t place;  // of its request in the results
    const Time asked;
    const std::string expected;
    std::string text;
    std::unique_ptr<inference::Exchange> exchange;
    std::optional<Time> first;
    bool ended = false;
    bool failed = false;
};

struct User {
    std::unique_ptr<NodeHost<node::UserNode>> host;
    std::vector<std::unique_ptr<Reply>> replies;
};

struct Broken {
    std::size_t user = 0;
    onion::PathNumber path{};
    Time since{};
    bool noticed = false;
    bool over = false;
};

class ChurnNetwork {
public:
    ChurnNetwork(const ChurnShape& shape, std::uint64_t seed, const ChurnWatch& watch)
        : shape_(shape),
          random_(seed),
          trace_(watch.trace != nullptr ? simulator::Trace(*watch.trace) : simulator::Trace()),
          network_(clock_, [](const NodeId& from, const NodeId& to) { return distance(from, to); }) {
        network_.record(&trace_);
        for (std::size_t i = 0; i < shape.users; ++i) add_user();
        while (users_.size() + relays_.size() < shape.nodes) add_relay();
        for (std::size_t i = 0; i < shape.models; ++i) add_model();
    }

    Result<ChurnResult> run(const std::vector<simulator::Fault>& faults, const ChurnWatch& watch) {
        for (std::size_t i = 0; i < users_.size(); ++i) clock_.after(within(fetch), [this, i] { fetch_list(i); });
        clock_.run_for(5s);
        for (const User& user : users_) result_.never_ready += whole_paths(user) < shape_.threshold.n ? 1 : 0;
        if (result_.never_ready == users_.size())
            return fail(ErrorCode::unavailable, "no user has its paths up in the simulated network");
        if (auto scheduled = schedule_faults(faults, all_, clock_, network_, &trace_); !scheduled)
            return std::unexpected(scheduled.error());
        begun_ = clock_.now();
        schedule_departure();
        for (std::size_t i = 0; i < users_.size(); ++i) clock_.after(within(shape_.every), [this, i] { ask(i); });
        constexpr int steps = 100;
        for (int step = 1; step <= steps; ++step) {
            clock_.run_until(begun_ + shape_.session * step / steps);
            watch.progress(static_cast<double>(step) / steps);
        }
        clock_.run_for(shape_.give_up);
        for (User& user : users_)
            for (auto& reply : user.replies) settle(*reply);
        result_.frames = network_.frames();
        result_.trace_hash = trace_.hash();
        result_.trace_events = trace_.events();
        return std::move(result_);
    }

private:
    Duration within(Duration most) { return Duration(random_.below(static_cast<std::uint64_t>(most.count()))); }
    bool over() const { return clock_.now() >= begun_ + shape_.session; }

    void add_user() {
        crypto::NodeKeys keys{crypto::Identity::generate(random_), crypto::AgreementKey::generate(random_)};
        const NodeId id = keys.identity.id();
        node::UserNodeOptions options;
        options.pool.paths = shape_.threshold.n;
        options.pool.length = shape_.hops;
        options.pool.repair = shape_.repair;
        options.pool.entries.count = std::max<std::size_t>(options.pool.entries.count, shape_.threshold.n + 2U);
        // What is never replaced should not expire either.
        if (!shape_.repair) options.pool.lifetime = std::chrono::hours(1);
        options.requests.threshold = shape_.threshold;
        users_.push_back({std::make_unique<NodeHost<node::UserNode>>(network_, id, keys, options, network_.sender(id),
                                                                     random_, clock_),
                          {}});
        in_list_[id] = keys.onion.public_key();
        all_.push_back(id);
    }

    void add_relay() {
        auto id = random_.id<NodeId>();
        auto key = crypto::AgreementKey::generate(random_);
        relays_.push_back(std::make_unique<NodeHost<node::RelayRole>>(
            network_, id, id, key, onion::RelayLimits{}, onion::ProxyLimits{}, network_.sender(id), random_, clock_));
        in_list_[id] = key.public_key();
        list_changed_ = true;
        if (begun_ == Time{}) all_.push_back(id);
    }

    void add_model() {
        crypto::NodeKeys keys{crypto::Identity::generate(random_), crypto::AgreementKey::generate(random_)};
        const NodeId id = keys.identity.id();
        engines_.push_back(std::make_unique<simulator::TokenEngine>(
            clock_, simulator::TokenEngineOptions{answer_tokens, 200ms, 50ms, 1000}));
        models_.push_back(std::make_unique<NodeHost<node::ModelNode>>(
            network_, id, keys, node::ModelNodeOptions{}, network_.sender(id), *engines_.back(), random_, clock_));
        engines_.back()->after_progress = [this, id] { network_.rearm(id); };
        view_.models.push_back({id, keys.onion.public_key(), {"m"}, 1000, 0, 0});
        all_.push_back(id);
    }

    // The directory.
    void fetch_list(std::size_t i) {
        if (list_changed_ && clock_.now() >= list_made_ + block) {
            std::vector<onion::RelayInfo> relays;
            relays.reserve(in_list_.size());
            for (const auto& [id, key] : in_list_) relays.push_back({id, key, ""});
            view_.relays = std::move(relays);
            list_changed_ = false;
            list_made_ = clock_.now();
        }
        users_[i].host->node.requests().update_directory(view_);
        network_.rearm(users_[i].host->id);
        clock_.after(fetch, [this, i] { fetch_list(i); });
    }
    void unlist(const NodeId& id, Duration after) {
        clock_.after(after, [this, id] {
            in_list_.erase(id);
            list_changed_ = true;
        });
    }

    void schedule_departure() {
        if (shape_.departures_a_minute <= 0) return;
        double wait = -std::log(1 - random_.unit()) * 60 / shape_.departures_a_minute;
        clock_.after(std::chrono::round<Duration>(std::chrono::duration<double>(wait)), [this] {
            if (over()) return;
            depart();
            schedule_departure();
        });
    }
    void depart() {
        std::size_t which = random_.below(relays_.size());
        const NodeId id = relays_[which]->id;
        Departure how =
            shape_.departure == Departure::mixed ? static_cast<Departure>(random_.below(3)) : shape_.departure;
        note_broken(id);
        // What is left of its lease, from a renewal at a time that nobody knows.
        unlist(id, how == Departure::orderly ? Duration{} : lease - within(renewal));
        if (how == Departure::silent)
            network_.vanish(id);
        else
            network_.kill(id);
        std::swap(relays_[which], relays_.back());
        relays_.pop_back();
        ++result_.departures;
        add_relay();
    }

    // Paths that have lost a relay.
    void note_broken(const NodeId& lost) {
        for (std::size_t i = 0; i < users_.size(); ++i)
            for (const auto& path : users_[i].host->node.requests().pool().status()) {
                if (path.state != onion::PathState::up || std::ranges::find(path.relays, lost) == path.relays.end())
                    continue;
                if (is_broken(i, path.number)) continue;
                if (broken_.empty()) clock_.after(watching, [this] { watch_broken(); });
                broken_.push_back({i, path.number, clock_.now()});
                ++result_.broken;
            }
    }
    bool is_broken(std::size_t user, onion::PathNumber path) const {
        return std::ranges::any_of(broken_, [&](const Broken& one) { return one.user == user && one.path == path; });
    }
    void watch_broken() {
        for (Broken& one : broken_) {
            auto status = users_[one.user].host->node.requests().pool().status();
            if (!one.noticed && std::ranges::find(status, one.path, &onion::PathStatus::number) == status.end()) {
                one.noticed = true;
                result_.noticed.push_back(clock_.now() - one.since);
            }
            auto whole = std::ranges::count_if(status, [&](const auto& path) {
                return path.state == onion::PathState::up && !is_broken(one.user, path.number);
            });
            one.over = one.noticed && (!shape_.repair || static_cast<std::size_t>(whole) >= shape_.threshold.n);
            if (one.over && shape_.repair) result_.repaired.push_back(clock_.now() - one.since);
        }
        std::erase_if(broken_, [](const Broken& one) { return one.over; });
        if (!broken_.empty()) clock_.after(watching, [this] { watch_broken(); });
    }
    std::size_t whole_paths(const User& user) const {
        std::size_t up = 0;
        for (const auto& path : user.host->node.requests().pool().status())
            up += path.state == onion::PathState::up ? 1 : 0;
        return up;
    }

    // Requests.
    void ask(std::size_t i) {
        if (over()) return;
        User& user = users_[i];
        std::erase_if(user.replies, [&](auto& reply) {
            if (!reply->ended && !reply->failed && clock_.now() < reply->asked + shape_.give_up) return false;
            settle(*reply);
            return true;
        });
        Bytes body(100);
        random_.fill(body);
        auto& reply = *user.replies.emplace_back(std::make_unique<Reply>(clock_, result_.requests.size(), body));
        result_.requests.push_back({.age = clock_.now() - begun_});
        auto started = user.host->node.requests().start(
            {random_.id<IdempotencyId>(), "POST", "/v1/completions", "text/plain", "m", std::move(body)}, reply);
        if (started)
            reply.exchange = std::move(*started);
        else
            reply.failed = true;
        network_.rearm(user.host->id);
        clock_.after(shape_.every, [this, i] { ask(i); });
    }
    void settle(Reply& reply) {
        ChurnRequest& request = result_.requests[reply.place];
        request.delivered = reply.delivered();
        if (reply.first) request.first_token = *reply.first - reply.asked;
    }

    const ChurnShape shape_;
    SeededRandom random_;
    EventQueue clock_;
    simulator::Trace trace_;
    Network network_;
    ChurnResult result_;
    Time begun_{};

    std::map<NodeId, crypto::AgreementPublicKey> in_list_;
    bool list_changed_ = true;
    Time list_made_{};
    node::DirectoryView view_;
    std::vector<NodeId> all_;

    std::vector<std::unique_ptr<simulator::TokenEngine>> engines_;
    std::vector<std::unique_ptr<NodeHost<node::ModelNode>>> models_;
    std::vector<std::unique_ptr<NodeHost<node::RelayRole>>> relays_;
    std::vector<User> users_;
    std::vector<Broken> broken_;
};

}  // namespace

std::string_view to_string(Departure departure) {
    switch (departure) {
        case Departure::orderly:
            return "orderly";
        case Departure::crash:
            return "crash";
        case Departure::silent:
            return "silent";
        case Departure::mixed:
            return "mixed";
    }
    return "unknown";
}

Result<ChurnResult> run_churn(const ChurnShape& shape, std::uint64_t seed, const std::vector<simulator::Fault>& faults,
                              const ChurnWatch& watch) {
    return ChurnNetwork(shape, seed, watch).run(faults, watch);
}

double survival(dispersal::Threshold threshold, std::size_t hops, double leave_rate, Duration age) {
    const double whole = std::exp(-static_cast<double>(hops) * leave_rate * to_seconds(age));
    double chance = 0;
    for (std::size_t alive = threshold.k; alive <= threshold.n; ++alive) {
        double ways = 1;
        for (std::size_t i = 0; i < alive; ++i)
            ways *= static_cast<double>(threshold.n - i) / static_cast<double>(i + 1);
        chance += ways * std::pow(whole, static_cast<double>(alive)) *
                  std::pow(1 - whole, static_cast<double>(threshold.n - alive));
    }
    return chance;
}

}  // namespace planetserve::eval
