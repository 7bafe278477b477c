#include "eval/wide_area/wide_overlay.h"

#include "node/model_node.h"
#include "node/user_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::eval {

namespace {

using simulator::EventQueue;
using simulator::Network;
using simulator::NodeHost;

constexpr Duration path_deadline = 20s;
constexpr Duration answer_deadline = 30s;

struct Reply final : inference::ReplySink {
    explicit Reply(const Clock& own_clock) : clock(own_clock) {}
    void on_head(const inference::ReplyHead& got) override { head = got; }
    void on_body(ByteView) override {
        if (!first) first = clock.now();
    }
    void on_end() override { over = true; }
    void on_error(const Error&) override { over = true; }

    const Clock& clock;
    std::unique_ptr<inference::Exchange> exchange;
    inference::ReplyHead head;
    std::optional<Time> first;
    bool over = false;
};

}  // namespace

struct WideOverlay::Nodes {
    Nodes(const OverlayShape& own_shape, std::uint64_t seed)
        : shape(own_shape),
          random(seed),
          geography(clock),
          network(clock, [this](const NodeId& from, const NodeId& to) { return geography.delay(from, to); }) {
        std::vector<onion::RelayInfo> listed;
        for (const Place& place : shape.relays) {
            auto id = random.id<NodeId>();
            auto key = crypto::AgreementKey::generate(random);
            geography.put(id, place);
            listed.push_back({id, key.public_key(), ""});
            relays.push_back(std::make_unique<NodeHost<node::RelayRole>>(
                network, id, id, key, onion::RelayLimits{}, onion::ProxyLimits{}, network.sender(id), random, clock));
        }
        directory.relays = std::move(listed);
        for (const Place& place : shape.models) {
            crypto::NodeKeys keys{crypto::Identity::generate(random), crypto::AgreementKey::generate(random)};
            const NodeId id = keys.identity.id();
            geography.put(id, place);
            directory.models.push_back({id, keys.onion.public_key(), {"m"}, 16, 0, 0});
            engines.push_back(std::make_unique<simulator::TokenEngine>(
                clock, simulator::TokenEngineOptions{3, shape.engine, 20ms, 16}));
            models.push_back(std::make_unique<NodeHost<node::ModelNode>>(
                network, id, keys, node::ModelNodeOptions{}, network.sender(id), *engines.back(), random, clock));
            engines.back()->after_progress = [this, id] { network.rearm(id); };
        }
    }

    std::optional<Duration> ask(NodeHost<node::UserNode>& user, UserSample& sample) {
        Reply reply(clock);
        Bytes body(100);
        random.fill(body);
        Time asked = clock.now();
        auto started = user.node.requests().start(
            {random.id<IdempotencyId>(), "POST", "/v1/completions", "text/plain", "m", std::move(body)}, reply);
        if (!started) return std::nullopt;
        reply.exchange = std::move(*started);
        network.rearm(user.id);
        clock.run_until_true([&] { return reply.over; }, answer_deadline);
        for (const auto& [name, value] : reply.head.headers)
            if (name == "x-planetserve-model-node")
                if (auto served = NodeId::from_hex(value)) sample.direct = geography.between(user.id, *served);
        reply.exchange.reset();
        network.rearm(user.id);
        return reply.first ? std::optional(*reply.first - asked) : std::nullopt;
    }

    UserSample visit(const Place& place, LinksUp links, std::optional<std::size_t> own_relay) {
        crypto::NodeKeys keys{crypto::Identity::generate(random), crypto::AgreementKey::generate(random)};
        geography.put(keys.identity.id(), place);
        geography.forget_links();
        geography.keep_links_up(links == LinksUp::all);
        if (links == LinksUp::between_relays) connect_relays();
        node::UserNodeOptions options;
        options.pool.length = shape.hops;
        options.pool.paths = shape.paths;
        NodeHost<node::UserNode> user(network, keys.identity.id(), keys, options, network.sender(keys.identity.id()),
                                      random, clock);
        user.node.requests().update_directory(without(own_relay));
        network.rearm(user.id);
        auto& pool = user.node.requests().pool();
        clock.run_until_true([&] { return up(pool) >= shape.paths; }, path_deadline);
        UserSample sample;
        for (const auto& path : pool.status()) {
            if (path.state != onion::PathState::up) continue;
            if (static_cast<std::size_t>(path.number) > shape.paths) ++sample.failed_paths;
            PathSample& added = sample.paths.emplace_back(PathSample{path.setup_time, {}});
            NodeId before = user.id;
            for (const NodeId& relay : path.relays)
                added.links.push_back(geography.between(std::exchange(before, relay), relay));
        }
        for (const auto& model : models) sample.candidates.push_back(geography.between(user.id, model->id));
        sample.first = ask(user, sample);
        geography.keep_links_up(true);
        sample.later = ask(user, sample);
        pool.shut_down();
        clock.run_for(2s);
        network.kill(user.id);
        clock.run_for(2s);
        return sample;
    }

    void connect_relays() {
        for (const auto& one : relays)
            for (const auto& other : relays) geography.connect(one->id, other->id);
    }

    node::DirectoryView without(std::optional<std::size_t> relay) const {
        node::DirectoryView view = directory;
        if (!relay) return view;
        std::vector<onion::RelayInfo> others(view.relays.begin(), view.relays.end());
        std::erase_if(others, [&](const onion::RelayInfo& listed) { return listed.id == relays[*relay]->id; });
        view.relays = std::move(others);
        return view;
    }

    static std::size_t up(const onion::PathPool& pool) {
        std::size_t count = 0;
        for (const auto& path : pool.status()) count += path.state == onion::PathState::up ? 1 : 0;
        return count;
    }

    OverlayShape shape;
    SeededRandom random;
    EventQueue clock;
    Geography geography;
    Network network;
    node::DirectoryView directory;
    std::vector<std::unique_ptr<NodeHost<node::RelayRole>>> relays;
    std::vector<std::unique_ptr<simulator::TokenEngine>> engines;
    std::vector<std::unique_ptr<NodeHost<node::ModelNode>>> models;
};

WideOverlay::WideOverlay(const OverlayShape& shape, std::uint64_t seed)
    : nodes_(std::make_unique<Nodes>(shape, seed)) {}
WideOverlay::~WideOverlay() = default;

UserSample WideOverlay::visit(const Place& place, LinksUp links, std::optional<std::size_t> own_relay) {
    return nodes_->visit(place, links, own_relay);
}

Duration telescoping(const std::vector<Duration>& links, bool links_up) {
    Duration all{}, there_and_back{};
    for (Duration link : links) {
        there_and_back += link;
        all += there_and_back + (links_up ? Duration{} : link_round_trips * link);
    }
    return all;
}

}  // namespace planetserve::eval
