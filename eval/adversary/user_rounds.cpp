#include "eval/adversary/user_rounds.h"

#include <algorithm>

#include "eval/adversary/geography.h"
#include "node/model_node.h"
#include "node/user_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::eval {

namespace {

using simulator::EventQueue;
using simulator::Network;

constexpr Duration round_length = 10s;
constexpr Duration asking_within = 2s;

// Tells the recorder what arrives, then the node.
template <typename Node>
class RecordedHost final : public simulator::NodeHost<Node> {
public:
    template <typename... Arguments>
    RecordedHost(Recorder& recorder, EventQueue& clock, Network& network, const NodeId& own_id,
                 Arguments&&... arguments)
        : simulator::NodeHost<Node>(network, own_id, std::forward<Arguments>(arguments)...),
          recorder_(recorder),
          clock_(clock) {}
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        recorder_.on_arrival(clock_.now(), from, this->id, type, payload);
        simulator::NodeHost<Node>::on_frame(from, type, payload);
        recorder_.after_arrival();
    }

private:
    Recorder& recorder_;
    EventQueue& clock_;
};

struct Reply final : inference::ReplySink {
    void on_head(const inference::ReplyHead&) override {}
    void on_body(ByteView bytes) override { unread += bytes.size(); }
    void on_end() override { ended = true; }
    void on_error(const Error& error) override { failed = error; }

    std::unique_ptr<inference::Exchange> exchange;
    std::size_t unread = 0;
    bool ended = false;
    std::optional<Error> failed;
};

node::UserNodeOptions user_options(const NetworkShape& shape) {
    node::UserNodeOptions options;
    // Idle probes tell relays nothing new and are most of the work of a quiet network.
    options.pool.timing.probe_idle = 20min;
    options.pool.entries.count = shape.entries;
    if (!shape.stable_entries) options.pool.entries.lifetime = 0ms;
    return options;
}

}  // namespace

struct UserRounds::Nodes {
    Nodes(const NetworkShape& own_shape, std::uint64_t seed)
        : shape(own_shape), random(seed), network(clock, [this](const NodeId& from, const NodeId& to) {
              return distance(from, to) + Duration(random.below(static_cast<std::uint64_t>(jitter.count())));
          }) {
        std::vector<onion::RelayInfo> listed;
        network.tap([this](Time now, const simulator::Frame& frame) { recorder.on_sent(now, frame); });
        for (std::uint64_t i = shape.users; i < shape.nodes; ++i) {
            auto id = random.id<NodeId>();
            auto key = crypto::AgreementKey::generate(random);
            listed.push_back({id, key.public_key(), ""});
            relays.push_back(std::make_unique<RecordedHost<node::RelayRole>>(recorder, clock, network, id, id, key,
                                                                             onion::RelayLimits{}, onion::ProxyLimits{},
                                                                             network.sender(id), random, clock));
        }
        for (std::uint32_t i = 0; i < shape.users; ++i) {
            crypto::NodeKeys keys{crypto::Identity::generate(random), crypto::AgreementKey::generate(random)};
            const NodeId id = keys.identity.id();
            listed.push_back({id, keys.onion.public_key(), ""});
            users.push_back(std::make_unique<RecordedHost<node::UserNode>>(
                recorder, clock, network, id, keys, user_options(shape), network.sender(id), random, clock));
        }
        for (std::uint32_t i = 0; i < shape.models; ++i) {
            crypto::NodeKeys keys{crypto::Identity::generate(random), crypto::AgreementKey::generate(random)};
            const NodeId id = keys.identity.id();
            directory.models.push_back({id, keys.onion.public_key(), {"m"}, 16, 0, 0});
            engines.push_back(
                std::make_unique<simulator::TokenEngine>(clock, simulator::TokenEngineOptions{5, 100ms, 20ms, 16}));
            models.push_back(std::make_unique<RecordedHost<node::ModelNode>>(
                recorder, clock, network, id, keys, node::ModelNodeOptions{}, network.sender(id), *engines.back(),
                random, clock));
            engines.back()->after_progress = [this, id] { network.rearm(id); };
        }
        directory.relays = std::move(listed);
        for (auto& user : users) tell_directory(*user);
        clock.run_for(5s);
    }

    void tell_directory(RecordedHost<node::UserNode>& user) {
        user.node.requests().update_directory(directory);
        network.rearm(user.id);
    }

    void ask(RecordedHost<node::UserNode>& user, Reply& reply) {
        Bytes body(100);
        random.fill(body);
        auto started = user.node.requests().start(
            {random.id<IdempotencyId>(), "POST", "/v1/completions", "text/plain", "m", std::move(body)}, reply);
        if (started)
            reply.exchange = std::move(*started);
        else
            reply.failed = started.error();
        network.rearm(user.id);
    }

    std::set<NodeId> proxies_of(RecordedHost<node::UserNode>& user) {
        std::set<NodeId> proxies;
        for (const auto& path : user.node.requests().pool().status()) proxies.insert(path.relays.back());
        return proxies;
    }

    NetworkShape shape;
    SeededRandom random;
    EventQueue clock;
    Recorder recorder;
    Network network;
    node::DirectoryView directory;
    std::vector<std::unique_ptr<RecordedHost<node::RelayRole>>> relays;
    std::vector<std::unique_ptr<RecordedHost<node::UserNode>>> users;
    std::vector<std::unique_ptr<simulator::TokenEngine>> engines;
    std::vector<std::unique_ptr<RecordedHost<node::ModelNode>>> models;
};

UserRounds::UserRounds(const NetworkShape& shape, std::uint64_t seed) : nodes_(std::make_unique<Nodes>(shape, seed)) {}
UserRounds::~UserRounds() = default;

Result<UserRounds::Round> UserRounds::next() {
    auto& nodes = *nodes_;
    if (!nodes.shape.stable_entries) nodes.tell_directory(*nodes.users.front());
    nodes.clock.run_for(std::chrono::duration_cast<Duration>(onion::PoolOptions{}.lifetime));
    nodes.recorder.begin_round();
    std::vector<std::unique_ptr<Reply>> replies;
    std::set<NodeId> proxies;
    for (auto& user : nodes.users) {
        Reply& reply = *replies.emplace_back(std::make_unique<Reply>());
        auto delay = Duration(nodes.random.below(static_cast<std::uint64_t>(asking_within.count())));
        nodes.clock.after(delay, [&nodes, &user, &reply, &proxies] {
            if (&user == &nodes.users.front()) proxies = nodes.proxies_of(*user);
            nodes.ask(*user, reply);
        });
    }
    nodes.clock.run_for(round_length);
    Round round{nodes.recorder.end_round(round_length), 0};
    const Reply& own = *replies.front();
    if (!own.ended)
        return fail(ErrorCode::unavailable, "the user's request failed in the simulated network: " +
                                                (own.failed ? own.failed->message : std::string("no answer in time")));
    auto target = std::ranges::find_if(round.seen.requests, [&](const RequestSeen& request) {
        return std::ranges::all_of(request.lanes, [&](const LaneSeen& lane) { return proxies.contains(lane.proxy); });
    });
    if (target == round.seen.requests.end()) return fail(ErrorCode::internal, "the recording lacks the user's request");
    round.target = static_cast<std::size_t>(target - round.seen.requests.begin());
    return round;
}

NodeId UserRounds::target() const { return nodes_->users.front()->id; }
const Recorder& UserRounds::recorder() const { return nodes_->recorder; }
std::uint64_t UserRounds::frames() const { return nodes_->network.frames(); }

}  // namespace planetserve::eval
