#include "eval/scale/population.h"

#include <algorithm>
#include <cmath>

#include "eval/adversary/geography.h"
#include "eval/scale/costs.h"
#include "node/model_node.h"
#include "node/user_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::eval {

namespace {

using simulator::EventQueue;
using simulator::Network;
using simulator::NodeHost;
using UserHost = NodeHost<node::UserNode>;

struct Reply final : inference::ReplySink {
    void on_head(const inference::ReplyHead&) override {}
    void on_body(ByteView bytes) override {
        if (exchange) exchange->consumed(bytes.size());
    }
    void on_end() override { ended = true; }
    void on_error(const Error&) override { failed = true; }

    std::unique_ptr<inference::Exchange> exchange;
    bool counted = false;  // asked in the measured time
    bool ended = false;
    bool failed = false;
};

class Population {
public:
    Population(const PopulationShape& shape, std::uint64_t seed)
        : shape_(shape),
          random_(seed),
          network_(clock_, [](const NodeId& from, const NodeId& to) { return distance(from, to); }) {
        std::vector<onion::RelayInfo> listed;
        listed.reserve(shape.users);
        for (std::size_t i = 0; i < shape.users; ++i) {
            // Any id will do: no identity signs anything here.
            crypto::NodeKeys keys{crypto::Identity::generate(random_), crypto::AgreementKey::generate(random_)};
            const NodeId id = keys.identity.id();
            users_.push_back(std::make_unique<UserHost>(network_, id, keys, node::UserNodeOptions{},
                                                        network_.sender(id), random_, clock_));
            listed.push_back({id, keys.onion.public_key(), ""});
        }
        for (std::size_t i = 0; i < shape.models; ++i) {
            crypto::NodeKeys keys{crypto::Identity::generate(random_), crypto::AgreementKey::generate(random_)};
            const NodeId id = keys.identity.id();
            engines_.push_back(std::make_unique<simulator::TokenEngine>(
                clock_, simulator::TokenEngineOptions{40, 200ms, 50ms, 10'000}));
            models_.push_back(std::make_unique<NodeHost<node::ModelNode>>(
                network_, id, keys, node::ModelNodeOptions{}, network_.sender(id), *engines_.back(), random_, clock_));
            engines_.back()->after_progress = [this, id] { network_.rearm(id); };
            view_.models.push_back({id, keys.onion.public_key(), {"m"}, 10'000, 0, 0});
        }
        view_.relays = std::move(listed);
        replies_.resize(users_.size());
        for (std::size_t i = 0; i < users_.size(); ++i) {
            clock_.after(within(shape.warm_up * 9 / 10), [this, i] {
                users_[i]->node.requests().update_directory(view_);
                network_.rearm(users_[i]->id);
                ask_later(i);
            });
        }
    }

    PopulationCost run(const std::function<void(double)>& progress, std::size_t memory_before) {
        PopulationCost cost;
        double cpu = processor_seconds();
        clock_.run_for(shape_.warm_up);
        cost.warm_up_cpu_seconds = processor_seconds() - cpu;
        const auto events = clock_.events_run(), frames = network_.frames(), bytes = network_.bytes();
        const auto setups = setups_taken();
        measuring_ = true;
        cpu = processor_seconds();
        constexpr int steps = 100;
        const Time begun = clock_.now();
        for (int step = 1; step <= steps; ++step) {
            clock_.run_until(begun + shape_.measured * step / steps);
            progress(static_cast<double>(step) / steps);
        }
        cost.cpu_seconds = processor_seconds() - cpu;
        const std::size_t memory = resident_bytes();
        cost.memory_bytes = memory > memory_before ? memory - memory_before : 0;
        cost.events = clock_.events_run() - events;
        cost.frames = network_.frames() - frames;
        cost.frame_bytes = network_.bytes() - bytes;
        cost.setups = setups_taken() - setups;
        cost.requests = requests_;
        for (auto& reply : replies_) note(reply.get());
        cost.answered = answered_;
        for (const auto& user : users_) {
            for (const auto& path : user->node.requests().pool().status())
                cost.paths_up += path.state == onion::PathState::up ? 1 : 0;
            cost.relayed_paths_most = std::max(cost.relayed_paths_most, user->node.relay().relay().paths());
        }
        return cost;
    }

private:
    Duration within(Duration most) { return Duration(random_.below(static_cast<std::uint64_t>(most.count()) + 1)); }

    std::uint64_t setups_taken() const {
        std::uint64_t count = 0;
        for (const auto& user : users_) count += user->node.relay().relay().counters().setups_accepted;
        return count;
    }

    void ask_later(std::size_t i) {
        if (shape_.requests_an_hour <= 0) return;
        const double wait = -std::log(1 - random_.unit()) * 3600 / shape_.requests_an_hour;
        clock_.after(std::chrono::round<Duration>(std::chrono::duration<double>(wait)), [this, i] { ask(i); });
    }
    void note(const Reply* reply) {
        if (reply != nullptr && reply->counted && reply->ended) ++answered_;
    }
    void ask(std::size_t i) {
        note(replies_[i].get());
        auto& user = users_[i]->node.requests();
        replies_[i] = std::make_unique<Reply>();
        replies_[i]->counted = measuring_;
        if (measuring_) ++requests_;
        Bytes body(100);
        random_.fill(body);
        auto started = user.start(
            {random_.id<IdempotencyId>(), "POST", "/v1/completions", "text/plain", "m", std::move(body)}, *replies_[i]);
        if (started) replies_[i]->exchange = std::move(*started);
        network_.rearm(users_[i]->id);
        ask_later(i);
    }

    PopulationShape shape_;
    SeededRandom random_;
    EventQueue clock_;
    Network network_;
    node::DirectoryView view_;
    std::vector<std::unique_ptr<simulator::TokenEngine>> engines_;
    std::vector<std::unique_ptr<NodeHost<node::ModelNode>>> models_;
    std::vector<std::unique_ptr<UserHost>> users_;
    std::vector<std::unique_ptr<Reply>> replies_;
    bool measuring_ = false;
    std::uint64_t requests_ = 0;
    std::uint64_t answered_ = 0;
};

}  // namespace

PopulationCost run_population(const PopulationShape& shape, std::uint64_t seed,
                              const std::function<void(double)>& progress) {
    const std::size_t before = resident_bytes();
    return std::make_unique<Population>(shape, seed)->run(progress, before);
}

}  // namespace planetserve::eval
