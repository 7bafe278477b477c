#include "eval/adversary/user_rounds.h"

#include <algorithm>

#include "eval/kit/overlay/distance.h"
#include "eval/kit/overlay/simulated_overlay.h"

namespace planetserve::eval {

namespace {

constexpr Duration round_length = 10s;
constexpr Duration asking_within = 2s;

node::UserNodeOptions user_options(const NetworkShape& shape) {
    node::UserNodeOptions options;
    // Idle probes tell relays nothing new and are most of the work of a quiet network. A relay ends a path that is
    // silent for two minutes.
    options.pool.timing.probe_idle = 90s;
    options.pool.entries.count = shape.entries;
    if (!shape.stable_entries) options.pool.entries.lifetime = 0ms;
    return options;
}

}  // namespace

struct UserRounds::Nodes {
    Nodes(const NetworkShape& own_shape, std::uint64_t seed)
        : shape(own_shape), overlay(seed, [this](const NodeId& from, const NodeId& to) {
              return distance(from, to) + Duration(overlay.random().below(static_cast<std::uint64_t>(jitter.count())));
          }) {
        auto& network = overlay.network();
        network.tap([this](Time now, const simulator::Frame& frame) { recorder.on_sent(now, frame); });
        network.watch_arrivals({[this](Time now, const NodeId& from, const NodeId& to, wire::FrameType type,
                                       ByteView payload) { recorder.on_arrival(now, from, to, type, payload); },
                                [this] { recorder.after_arrival(); }});
        std::vector<onion::RelayInfo> listed;
        for (std::uint64_t i = shape.users; i < shape.nodes; ++i)
            listed.push_back(relays.emplace_back(overlay.make_relay()).listed);
        for (std::uint32_t i = 0; i < shape.users; ++i)
            listed.push_back(users.emplace_back(overlay.make_user(user_options(shape))).listed);
        for (std::uint32_t i = 0; i < shape.models; ++i)
            directory.models.push_back(models.emplace_back(overlay.make_model_node({5, 100ms, 20ms, 16})).listed);
        directory.relays = std::move(listed);
        for (auto& user : users) overlay.tell_directory(user, directory);
        overlay.clock().run_for(5s);
    }

    static std::set<NodeId> proxies_of(const SimulatedUser& user) {
        std::set<NodeId> proxies;
        for (const auto& path : user.pool().status()) proxies.insert(path.relays.back());
        return proxies;
    }

    NetworkShape shape;
    Recorder recorder;
    SimulatedOverlay overlay;
    node::DirectoryView directory;
    std::vector<SimulatedRelay> relays;
    std::vector<SimulatedUser> users;
    std::vector<SimulatedModelNode> models;
};

UserRounds::UserRounds(const NetworkShape& shape, std::uint64_t seed) : nodes_(std::make_unique<Nodes>(shape, seed)) {}
UserRounds::~UserRounds() = default;

Result<UserRounds::Round> UserRounds::next() {
    auto& nodes = *nodes_;
    if (!nodes.shape.stable_entries) nodes.overlay.tell_directory(nodes.users.front(), nodes.directory);
    nodes.overlay.clock().run_for(std::chrono::duration_cast<Duration>(onion::PoolOptions{}.lifetime));
    nodes.recorder.begin_round();
    std::vector<std::unique_ptr<SimulatedReply>> replies;
    std::set<NodeId> proxies;
    for (auto& user : nodes.users) {
        SimulatedReply& reply = *replies.emplace_back(
            std::make_unique<SimulatedReply>(nodes.overlay.clock(), SimulatedReply::Reading::never));
        auto delay = Duration(nodes.overlay.random().below(static_cast<std::uint64_t>(asking_within.count())));
        nodes.overlay.clock().after(delay, [&nodes, &user, &reply, &proxies] {
            if (&user == &nodes.users.front()) proxies = Nodes::proxies_of(user);
            nodes.overlay.ask(user, nodes.overlay.random_body(), reply);
        });
    }
    nodes.overlay.clock().run_for(round_length);
    Round round{nodes.recorder.end_round(round_length), 0};
    const SimulatedReply& own = *replies.front();
    if (own.state() != SimulatedReply::State::ended)
        return fail(ErrorCode::unavailable,
                    "the user's request failed in the simulated network: " +
                        (own.state() == SimulatedReply::State::failed ? own.error().message
                                                                      : std::string("no answer in time")));
    auto target = std::ranges::find_if(round.seen.requests, [&](const RequestSeen& request) {
        return std::ranges::all_of(request.lanes, [&](const LaneSeen& lane) { return proxies.contains(lane.proxy); });
    });
    if (target == round.seen.requests.end()) return fail(ErrorCode::internal, "the recording lacks the user's request");
    round.target = static_cast<std::size_t>(target - round.seen.requests.begin());
    return round;
}

NodeId UserRounds::target() const { return nodes_->users.front().id(); }
const Recorder& UserRounds::recorder() const { return nodes_->recorder; }
std::uint64_t UserRounds::frames() const { return nodes_->overlay.network().frames(); }

}  // namespace planetserve::eval
