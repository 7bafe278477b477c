#include "node/model_groups.h"

#include <algorithm>
#include <stdexcept>

#include "node/watched_run.h"

namespace planetserve::node {

// The folders know nothing of each other.
static_assert(routing::maximum_member_message == wire::maximum_group_message);
static_assert(exchange::ExchangeId::size == wire::exchange_id_size);

ModelGroups::ModelGroups(const NodeId& self, inference::Service& engines, ReadStats stats, wire::FrameSender& sender,
                         Random& random, const Clock& clock, routing::Incarnation incarnation)
    : self_(self),
      engines_(engines),
      stats_(std::move(stats)),
      sender_(sender),
      random_(random),
      clock_(clock),
      incarnation_(incarnation) {}

ModelGroups::~ModelGroups() = default;

void ModelGroups::add(const std::string& model, ModelGroupOptions options) {
    auto& group = groups_[model];
    if (group) throw std::logic_error("the model " + model + " has a group already");
    group = std::make_unique<Group>(self_, model, options, incarnation_, sender_, random_);
    group->totals.model = model;
    update_load(*group);
}

ModelGroups::Group* ModelGroups::find(const std::string& model) {
    auto found = groups_.find(model);
    return found == groups_.end() ? nullptr : found->second.get();
}

void ModelGroups::set_peers(const std::string& model, const std::vector<routing::Peer>& peers,
                            routing::Trust own_trust) {
    Group* group = find(model);
    if (group == nullptr || !group->options.enabled) return;
    group->peers.clear();
    for (const routing::Peer& peer : peers)
        if (peer.trust == routing::Trust::trusted) group->peers.insert(peer.id);
    group->member.set_peers(peers, own_trust, clock_.now());
}

void ModelGroups::on_engine_restart(const std::string& model) {
    if (Group* group = find(model)) group->member.on_engine_restart();
}

void ModelGroups::follow_cache(const std::string& model, inference::Tokenizer& tokenizer) {
    if (Group* group = find(model)) group->tokenizer = &tokenizer;
}

void ModelGroups::on_cache_events(const std::string& model, std::span<const routing::CacheEvent> events) {
    Group* group = find(model);
    if (group == nullptr) return;
    for (const routing::CacheEvent& event : events) group->member.on_cache_event(event);
}

void ModelGroups::on_cache_unknown(const std::string& model, bool complete) {
    if (Group* group = find(model)) group->member.on_cache_unknown(complete);
}

void ModelGroups::leave() {
    for (auto& [model, group] : groups_)
        if (group->options.enabled) group->member.leave();
}

void ModelGroups::on_sync(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto name = GroupName::from(reader.bytes(GroupName::size));
    if (!name) return;
    for (auto& [model, group] : groups_)
        if (group->name == *name && group->options.enabled)
            return group->member.on_message(from, reader.rest(), clock_.now());
}

void ModelGroups::on_link_down(const NodeId& peer) {
    for (auto& [model, group] : groups_) group->member.on_link_down(peer);
}

void ModelGroups::on_timer() {
    const Time now = clock_.now();
    for (auto& [model, group] : groups_) {
        if (!group->options.enabled || group->member.next_timer() > now) continue;
        update_load(*group);
        group->member.on_timer(now);
    }
}

Time ModelGroups::next_timer() const {
    Time next = Time::max();
    for (const auto& [model, group] : groups_)
        if (group->options.enabled) next = std::min(next, group->member.next_timer());
    return next;
}

void ModelGroups::update_load(Group& group) {
    const auto stats = stats_();
    auto found = std::ranges::find(stats.models, group.model, [](const auto& item) { return item.first; });
    if (found == stats.models.end()) return;
    const inference::LoadStats& engine = found->second;
    routing::LoadReport& load = group.totals.load;
    auto small = [](auto value) { return static_cast<std::uint32_t>(std::clamp<double>(double(value), 0, 4e9)); };
    load.latency_us = small(engine.average_service.value_or(Duration{}).count());
    load.queued = small(engine.running + engine.queued);
    load.capacity = group.options.capacity;
    load.queued_tokens = small(group.queued_tokens);
    load.prefill_tokens_per_second = small(group.prefill_rate);
    group.member.set_load(load, clock_.now());
    wake_();
}

std::optional<Bytes> ModelGroups::prompt_of(const inference::Request& request) {
    if (last_prompt_ && last_prompt_->first == request.id) {
        auto prompt = std::exchange(last_prompt_, std::nullopt);
        return std::move(prompt->second);
    }
    if (request.method != "POST") return std::nullopt;
    auto prompt = inference::canonical_prompt(request.path, request.body);
    if (!prompt) return std::nullopt;
    return std::move(prompt->canonical);
}

std::optional<NodeId> ModelGroups::place(const inference::Request& request, const std::set<NodeId>& excluded,
                                         Time now) {
    Group* group = find(request.model);
    if (group == nullptr || !group->options.enabled) return std::nullopt;
    // A conversation stays while there is a place. The tree does not know of its last chunk, which is not whole.
    const routing::LoadReport& load = group->totals.load;
    // A user that comes back is not sent away again.
    const bool returned = request.returns && excluded.empty() &&
                          group->forwards.on_return(*request.returns, request.via.value_or(NodeId{}), now);
    if (returned || (request.continues && load.queued < load.capacity)) {
        if (excluded.empty()) ++group->totals.entered;
        return std::nullopt;
    }
    auto prompt = prompt_of(request);
    if (!prompt) return std::nullopt;
    if (excluded.empty()) ++group->totals.entered;
    auto placement = group->member.place(*prompt, excluded, now, group->forwards.shunned(now));
    last_prompt_.emplace(request.id, std::move(*prompt));
    if (placement.node == self_) return std::nullopt;
    group->member.on_forwarded(placement, now);
    group->forwards.on_forwarded(request.id, placement.node, now);
    ++group->totals.forwarded;
    return placement.node;
}

bool ModelGroups::accepts_from(const NodeId& node, const std::string& model) {
    Group* group = find(model);
    return group != nullptr && group->peers.contains(node);
}

void ModelGroups::on_outcome(const std::string& model, const NodeId& node, const NodeId& via,
                             exchange::ForwardOutcome outcome) {
    if (Group* group = find(model)) group->forwards.on_outcome(node, via, outcome, clock_.now());
}

Result<std::unique_ptr<inference::Exchange>> ModelGroups::start(inference::Request request,
                                                                inference::ReplySink& sink) {
    Group* group = find(request.model);
    auto api = inference::api_of(request.path);
    auto prompt = group == nullptr || !api ? std::nullopt : prompt_of(request);
    if (!prompt) return engines_.start(std::move(request), sink);
    auto run = std::make_unique<WatchedRun>(*this, *group, *api, std::move(*prompt), sink);
    if (auto started = run->start(std::move(request)); !started) return std::unexpected(started.error());
    return run;
}

std::vector<ModelGroupStatus> ModelGroups::status() const {
    std::vector<ModelGroupStatus> all;
    for (const auto& [model, group] : groups_) {
        ModelGroupStatus status = group->totals;
        status.own_prefixes = group->member.own_prefixes();
        status.tree_prefixes = group->member.tree_prefixes();
        status.array_version = group->member.array().version;
        status.sync = group->member.counters();
        status.peers = group->member.peers();
        const routing::BlockTable& blocks = group->member.blocks();
        status.blocks = blocks.blocks();
        status.block_tokens = blocks.block_size();
        status.blocks_complete = blocks.complete();
        status.block_events = blocks.counters();
        all.push_back(std::move(status));
    }
    return all;
}

}  // namespace planetserve::node
