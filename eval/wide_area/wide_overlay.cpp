#include "eval/wide_area/wide_overlay.h"

#include "eval/kit/overlay/simulated_overlay.h"

namespace planetserve::eval {

namespace {

constexpr Duration path_deadline = 20s;
constexpr Duration answer_deadline = 30s;

}  // namespace

struct WideOverlay::Nodes {
    Nodes(const OverlayShape& own_shape, std::uint64_t seed)
        : shape(own_shape),
          overlay(seed, [this](const NodeId& from, const NodeId& to) { return geography.delay(from, to); }),
          geography(overlay.clock()) {
        std::vector<onion::RelayInfo> listed;
        for (const Place& place : shape.relays)
            listed.push_back(
                relays.emplace_back(overlay.make_relay([&](const NodeId& id) { geography.put(id, place); })).listed);
        directory.relays = std::move(listed);
        for (const Place& place : shape.models) {
            models.push_back(overlay.make_model_node({3, shape.engine, 20ms, 16},
                                                     [&](const NodeId& id) { geography.put(id, place); }));
            directory.models.push_back(models.back().listed);
        }
    }

    std::optional<Duration> ask(const SimulatedUser& user, UserSample& sample) {
        SimulatedReply reply(overlay.clock(), SimulatedReply::Reading::never);
        overlay.ask(user, overlay.random_body(), reply);
        overlay.clock().run_until_true([&] { return reply.state() != SimulatedReply::State::running; },
                                       answer_deadline);
        if (auto served = reply.model_node()) sample.direct = geography.between(user.id(), *served);
        reply.hang_up();
        overlay.network().rearm(user.id());
        return reply.first_token() ? std::optional(*reply.first_token() - reply.asked()) : std::nullopt;
    }

    UserSample visit(const Place& place, LinksUp links, std::optional<std::size_t> own_relay) {
        node::UserNodeOptions options;
        options.pool.length = shape.hops;
        options.pool.paths = shape.paths;
        const SimulatedUser user = overlay.make_user(options, [&](const NodeId& id) {
            geography.put(id, place);
            geography.forget_links();
            geography.keep_links_up(links == LinksUp::all);
            if (links == LinksUp::between_relays) connect_relays();
        });
        overlay.tell_directory(user, without(own_relay));
        auto& clock = overlay.clock();
        auto& pool = user.pool();
        clock.run_until_true([&] { return user.paths_up() >= shape.paths; }, path_deadline);
        UserSample sample;
        for (const auto& path : pool.status()) {
            if (path.state != onion::PathState::up) continue;
            if (static_cast<std::size_t>(path.number) > shape.paths) ++sample.failed_paths;
            PathSample& added = sample.paths.emplace_back(PathSample{path.setup_time, {}});
            NodeId before = user.id();
            for (const NodeId& relay : path.relays)
                added.links.push_back(geography.between(std::exchange(before, relay), relay));
        }
        for (const auto& model : models) sample.candidates.push_back(geography.between(user.id(), model.id()));
        sample.first = ask(user, sample);
        geography.keep_links_up(true);
        sample.later = ask(user, sample);
        pool.shut_down();
        clock.run_for(2s);
        overlay.network().kill(user.id());
        clock.run_for(2s);
        return sample;
    }

    void connect_relays() {
        for (const auto& one : relays)
            for (const auto& other : relays) geography.connect(one.id(), other.id());
    }

    node::DirectoryView without(std::optional<std::size_t> relay) const {
        node::DirectoryView view = directory;
        if (!relay) return view;
        std::vector<onion::RelayInfo> others(view.relays.begin(), view.relays.end());
        std::erase_if(others, [&](const onion::RelayInfo& listed) { return listed.id == relays[*relay].id(); });
        view.relays = std::move(others);
        return view;
    }

    OverlayShape shape;
    SimulatedOverlay overlay;
    Geography geography;
    node::DirectoryView directory;
    std::vector<SimulatedRelay> relays;
    std::vector<SimulatedModelNode> models;
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
