#include "eval/churn/churn_network.h"

#include <cmath>

#include "eval/kit/overlay/distance.h"
#include "eval/kit/overlay/simulated_overlay.h"

namespace planetserve::eval {

namespace {

// As in a genesis of default parameters, and as clients fetch.
constexpr Duration lease = 30s;
constexpr Duration renewal = 10s;
constexpr Duration block = 1s;
constexpr Duration fetch = 3s;

constexpr Duration watching = 50ms;
constexpr std::size_t answer_tokens = 40;

struct Asked {
    std::size_t place = 0;  // of its request in the results
    std::string expected;
    std::unique_ptr<SimulatedReply> reply;
};

struct AskingUser {
    SimulatedUser user;
    std::vector<Asked> asked{};
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
          trace_(watch.trace != nullptr ? simulator::Trace(*watch.trace) : simulator::Trace()),
          overlay_(seed, [](const NodeId& from, const NodeId& to) { return distance(from, to); }) {
        network_.record(&trace_);
        for (std::size_t i = 0; i < shape.users; ++i) add_user();
        while (users_.size() + relays_.size() < shape.nodes) add_relay();
        for (std::size_t i = 0; i < shape.models; ++i) add_model();
    }

    Result<ChurnResult> run(const std::vector<simulator::Fault>& faults, const ChurnWatch& watch) {
        for (std::size_t i = 0; i < users_.size(); ++i) clock_.after(within(fetch), [this, i] { fetch_list(i); });
        clock_.run_for(5s);
        for (const AskingUser& asking : users_)
            result_.never_ready += asking.user.paths_up() < shape_.threshold.n ? 1 : 0;
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
        for (const AskingUser& user : users_)
            for (const Asked& asked : user.asked) settle(asked);
        result_.frames = network_.frames();
        result_.trace_hash = trace_.hash();
        result_.trace_events = trace_.events();
        return std::move(result_);
    }

private:
    Duration within(Duration most) { return Duration(random_.below(static_cast<std::uint64_t>(most.count()))); }
    bool over() const { return clock_.now() >= begun_ + shape_.session; }

    void add_user() {
        node::UserNodeOptions options;
        options.pool.paths = shape_.threshold.n;
        options.pool.length = shape_.hops;
        options.pool.repair = shape_.repair;
        options.pool.entries.count = std::max<std::size_t>(options.pool.entries.count, shape_.threshold.n + 2U);
        // What is never replaced should not expire either.
        if (!shape_.repair) options.pool.lifetime = std::chrono::hours(1);
        options.requests.threshold = shape_.threshold;
        const SimulatedUser& added = users_.emplace_back(AskingUser{overlay_.make_user(options)}).user;
        in_list_[added.id()] = added.listed.onion_key;
        all_.push_back(added.id());
    }

    void add_relay() {
        const SimulatedRelay& added = relays_.emplace_back(overlay_.make_relay());
        in_list_[added.id()] = added.listed.onion_key;
        list_changed_ = true;
        if (begun_ == Time{}) all_.push_back(added.id());
    }

    void add_model() {
        const SimulatedModelNode& added =
            models_.emplace_back(overlay_.make_model_node({answer_tokens, 200ms, 50ms, 1000}));
        view_.models.push_back(added.listed);
        all_.push_back(added.id());
    }

    // The directory.
    void fetch_list(std::size_t i) {
        if (list_changed_ && clock_.now() >= list_made_ + block) {
            std::vector<onion::RelayInfo> relays;
            relays.reserve(in_list_.size());
            for (const auto& [id, key] : in_list_) relays.push_back({id, key});
            view_.relays = std::move(relays);
            list_changed_ = false;
            list_made_ = clock_.now();
        }
        overlay_.tell_directory(users_[i].user, view_);
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
        const NodeId id = relays_[which].id();
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
            for (const auto& path : users_[i].user.pool().status()) {
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
            auto status = users_[one.user].user.pool().status();
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

    // Requests.
    void ask(std::size_t i) {
        if (over()) return;
        AskingUser& asking = users_[i];
        std::erase_if(asking.asked, [&](const Asked& asked) {
            const bool running = asked.reply->state() == SimulatedReply::State::running;
            if (running && clock_.now() < asked.reply->asked() + shape_.give_up) return false;
            settle(asked);
            return true;
        });
        Bytes body = overlay_.random_body();
        const Asked& asked = asking.asked.emplace_back(
            Asked{result_.requests.size(), simulator::TokenEngine::answer(body, answer_tokens),
                  std::make_unique<SimulatedReply>(clock_, SimulatedReply::Reading::kept)});
        result_.requests.push_back({.age = clock_.now() - begun_});
        overlay_.ask(asking.user, std::move(body), *asked.reply);
        clock_.after(shape_.every, [this, i] { ask(i); });
    }
    void settle(const Asked& asked) {
        const SimulatedReply& reply = *asked.reply;
        ChurnRequest& request = result_.requests[asked.place];
        request.delivered = reply.state() == SimulatedReply::State::ended && reply.text() == asked.expected;
        if (reply.first_token()) request.first_token = *reply.first_token() - reply.asked();
    }

    const ChurnShape shape_;
    simulator::Trace trace_;
    SimulatedOverlay overlay_;
    SeededRandom& random_ = overlay_.random();
    simulator::EventQueue& clock_ = overlay_.clock();
    simulator::Network& network_ = overlay_.network();
    ChurnResult result_;
    Time begun_{};

    std::map<NodeId, crypto::AgreementPublicKey> in_list_;
    bool list_changed_ = true;
    Time list_made_{};
    node::DirectoryView view_;
    std::vector<NodeId> all_;

    std::vector<SimulatedModelNode> models_;
    std::vector<SimulatedRelay> relays_;
    std::vector<AskingUser> users_;
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
