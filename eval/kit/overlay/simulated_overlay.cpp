#include "eval/kit/overlay/simulated_overlay.h"

#include <algorithm>

namespace planetserve::eval {

namespace {

constexpr std::size_t body_size = 100;
constexpr const char* model_name = "m";

}  // namespace

std::size_t SimulatedUser::paths_up() const {
    const auto paths = pool().status();
    return static_cast<std::size_t>(std::ranges::count(paths, onion::PathState::up, &onion::PathStatus::state));
}

std::optional<NodeId> SimulatedReply::model_node() const {
    for (const auto& [name, value] : head_.headers)
        if (name == "x-planetserve-model-node")
            if (auto id = NodeId::from_hex(value)) return *id;
    return std::nullopt;
}

void SimulatedReply::on_body(ByteView bytes) {
    if (!first_) first_ = clock_.now();
    if (reading_ == Reading::kept) text_ += to_string(bytes);
    if (reading_ != Reading::never && exchange_) exchange_->consumed(bytes.size());
}

void SimulatedReply::on_error(const Error& error) {
    state_ = State::failed;
    error_ = error;
}

crypto::NodeKeys SimulatedOverlay::make_keys() {
    auto identity = crypto::Identity::generate(random_);
    auto onion = crypto::AgreementKey::generate(random_);
    return {std::move(identity), std::move(onion)};
}

SimulatedUser SimulatedOverlay::make_user(const node::UserNodeOptions& options, const Place& place) {
    const crypto::NodeKeys keys = make_keys();
    const NodeId id = keys.identity.id();
    place(id);
    return {std::make_unique<simulator::NodeHost<node::UserNode>>(network_, id, keys, options, network_.sender(id),
                                                                  random_, clock_),
            {id, keys.onion.public_key()}};
}

SimulatedRelay SimulatedOverlay::make_relay(const Place& place) {
    // No identity signs anything here, so any id will do.
    auto id = random_.id<NodeId>();
    auto key = crypto::AgreementKey::generate(random_);
    place(id);
    return {
        std::make_unique<simulator::NodeHost<node::RelayRole>>(
            network_, id, id, key, onion::RelayLimits{}, onion::ProxyLimits{}, network_.sender(id), random_, clock_),
        {id, key.public_key()}};
}

SimulatedModelNode SimulatedOverlay::make_model_node(simulator::TokenEngineOptions options, const Place& place) {
    const crypto::NodeKeys keys = make_keys();
    const NodeId id = keys.identity.id();
    place(id);
    auto engine = std::make_unique<simulator::TokenEngine>(clock_, options);
    engine->after_progress = [this, id] { network_.rearm(id); };
    auto host = std::make_unique<simulator::NodeHost<node::ModelNode>>(network_, id, keys, node::ModelNodeOptions{},
                                                                       network_.sender(id), *engine, random_, clock_);
    node::ModelNodeInfo listed{
        id, keys.onion.public_key(), {model_name}, static_cast<std::uint32_t>(options.capacity), 0, 0};
    return {std::move(engine), std::move(host), std::move(listed)};
}

void SimulatedOverlay::tell_directory(const SimulatedUser& user, const node::DirectoryView& view) {
    user.requests().update_directory(view);
    network_.rearm(user.id());
}

Bytes SimulatedOverlay::random_body() {
    Bytes body(body_size);
    random_.fill(body);
    return body;
}

void SimulatedOverlay::ask(const SimulatedUser& user, Bytes body, SimulatedReply& reply) {
    auto started = user.requests().start(
        {random_.id<IdempotencyId>(), "POST", "/v1/completions", "text/plain", model_name, std::move(body)}, reply);
    if (started)
        reply.exchange_ = std::move(*started);
    else
        reply.on_error(started.error());
    network_.rearm(user.id());
}

}  // namespace planetserve::eval
