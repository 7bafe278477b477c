#include "eval/scale/group_costs.h"

#include <cmath>
#include <deque>

#include "eval/kit/overlay/distance.h"
#include "eval/scale/costs.h"
#include "node/model_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::eval {

namespace {

using simulator::EventQueue;
using simulator::Network;

constexpr std::size_t beginnings = 64;
constexpr Duration settling = 12s;

struct Sink final : inference::ReplySink {
    void on_head(const inference::ReplyHead&) override {}
    void on_body(ByteView bytes) override {
        if (exchange) exchange->consumed(bytes.size());
    }
    void on_end() override { over = true; }
    void on_error(const Error&) override { over = true; }

    std::unique_ptr<inference::Exchange> exchange;
    bool over = false;
};

class Group {
public:
    Group(std::size_t nodes, double rate, std::uint64_t seed)
        : rate_(rate),
          random_(seed),
          network_(clock_, [](const NodeId& from, const NodeId& to) { return distance(from, to); }) {
        for (std::size_t i = 0; i < beginnings; ++i) {
            std::string text;
            while (text.size() < 4096 + random_.below(4096)) text += "word" + std::to_string(random_.below(1000)) + " ";
            beginnings_.push_back(std::move(text));
        }
        for (std::size_t i = 0; i < nodes; ++i) {
            crypto::NodeKeys keys{crypto::Identity::generate(random_), crypto::AgreementKey::generate(random_)};
            const NodeId id = keys.identity.id();
            auto& engine = engines_.emplace_back(
                std::make_unique<simulator::TokenEngine>(clock_, simulator::TokenEngineOptions{40, 200ms, 20ms, 1000}));
            node::ModelNodeOptions options{.stats = [&engine = *engine] {
                inference::LoadStats load;
                load.running = static_cast<std::uint32_t>(engine.running());
                return inference::RouterStats{{{"m", load}}, load};
            }};
            nodes_.push_back(std::make_unique<simulator::NodeHost<node::ModelNode>>(
                network_, id, keys, options, network_.sender(id), *engine, random_, clock_));
            engine->after_progress = [this, id] { network_.rearm(id); };
            nodes_.back()->node.groups().add("m", {});
        }
        std::vector<routing::Peer> all;
        for (auto& node : nodes_) all.push_back({node->id});
        for (auto& node : nodes_) {
            auto others = all;
            std::erase_if(others, [&](const auto& peer) { return peer.id == node->id; });
            node->node.groups().set_peers("m", others, routing::Trust::trusted);
            network_.rearm(node->id);
        }
        sinks_.resize(nodes);
        for (std::size_t i = 0; i < nodes; ++i) ask_later(i);
    }

    GroupCost run(Duration measured, std::size_t memory_before) {
        clock_.run_for(settling);
        const auto bytes = network_.bytes(), frames = network_.frames();
        const double cpu = processor_seconds();
        clock_.run_for(measured);
        const double nodes = static_cast<double>(nodes_.size()), seconds = to_seconds(measured);
        const std::size_t memory = resident_bytes();
        return {static_cast<double>(network_.bytes() - bytes) / nodes / seconds,
                static_cast<double>(network_.frames() - frames) / nodes / seconds,
                memory > memory_before ? static_cast<double>(memory - memory_before) / nodes : 0,
                (processor_seconds() - cpu) / nodes / seconds};
    }

private:
    void ask_later(std::size_t i) {
        const double wait = -std::log(1 - random_.unit()) / rate_;
        clock_.after(std::chrono::round<Duration>(std::chrono::duration<double>(wait)), [this, i] { ask(i); });
    }
    void ask(std::size_t i) {
        std::erase_if(sinks_[i], [](const auto& sink) { return sink->over; });
        auto& sink = *sinks_[i].emplace_back(std::make_unique<Sink>());
        // Zipf with exponent 1, by the inverse of its continuous likeness.
        auto which = static_cast<std::size_t>(std::pow(static_cast<double>(beginnings), random_.unit())) - 1;
        std::string text = beginnings_[which] + std::string(random_.below(4096), 'q') + std::to_string(random_.next());
        inference::Request request{
            random_.id<IdempotencyId>(), "POST", "/v1/completions",
            "application/json",          "m",    to_bytes(R"({"model":"m","prompt":")" + text + R"("})")};
        auto started = nodes_[i]->node.groups().start(std::move(request), sink);
        if (started)
            sink.exchange = std::move(*started);
        else
            sink.over = true;
        network_.rearm(nodes_[i]->id);
        ask_later(i);
    }

    double rate_;
    SeededRandom random_;
    EventQueue clock_;
    Network network_;
    std::vector<std::string> beginnings_;
    std::vector<std::unique_ptr<simulator::TokenEngine>> engines_;
    std::vector<std::unique_ptr<simulator::NodeHost<node::ModelNode>>> nodes_;
    std::vector<std::deque<std::unique_ptr<Sink>>> sinks_;
};

}  // namespace

GroupCost measure_group(std::size_t nodes, double rate, Duration measured, std::uint64_t seed) {
    const std::size_t before = resident_bytes();
    return std::make_unique<Group>(nodes, rate, seed)->run(measured, before);
}

}  // namespace planetserve::eval
