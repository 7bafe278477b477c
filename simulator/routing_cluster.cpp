#include "simulator/routing_cluster.h"

#include <algorithm>

#include "simulator/cluster_node.h"

namespace planetserve::simulator {

namespace {

// Of the prompt, by what its node knew at the start.
std::uint64_t uncached_tokens(const WorkloadRequest& request, const ClusterNode::Running& running) {
    return request.prompt_tokens - std::min<std::uint64_t>(request.prompt_tokens, running.started.expected_tokens);
}

class Cluster final : public ClusterPart {
public:
    Cluster(const Workload& workload, const ClusterOptions& options);
    Result<ClusterResult> run();

private:
    void send(std::size_t from, const NodeId& to, ByteView message) override;
    void first_token(std::size_t place, std::uint64_t number) override;
    void finished(std::size_t place, std::uint64_t number, const EngineUsage& usage) override;
    Duration delay(std::size_t a, std::size_t b) const;
    void arm_timer(ClusterNode& node);
    void start_members();
    void arrive(std::size_t number);
    std::size_t choose(std::size_t number, std::size_t entry, ByteView prompt, std::span<const BlockId> blocks);
    std::size_t choose_by_truth(std::size_t number, std::size_t entry, std::span<const BlockId> blocks);
    void submit(std::size_t number, std::size_t place, Bytes prompt);
    void tell_load(ClusterNode& node);
    bool has_members() const { return options_.arm != Arm::round_robin && options_.arm != Arm::oracle; }
    std::uint64_t block_bytes() const { return options_.engine.block_tokens * bytes_per_token; }

    const Workload& workload_;
    ClusterOptions options_;
    EventQueue events_;
    SeededRandom random_;
    std::vector<std::unique_ptr<ClusterNode>> nodes_;
    std::unordered_map<NodeId, std::size_t, IdHash> places_;
    std::vector<RequestOutcome> outcomes_;
    std::shared_ptr<const Bytes> last_message_;
    std::size_t done_ = 0;
    Time start_{};
    Time last_arrival_{};
    Status status_;
};

Cluster::Cluster(const Workload& workload, const ClusterOptions& options)
    : workload_(workload), options_(options), random_(options.seed), outcomes_(workload.size()) {
    options_.member.cache_bytes = options_.engine.cache_tokens * bytes_per_token;
    options_.member.bytes_per_token = bytes_per_token;
    if (options_.arm == Arm::hr_tree || options_.arm == Arm::hr_tree_load_balancing) {
        std::uint32_t hit_depth = options_.member.decision.hit_depth;
        options_.member.decision = routing::Parameters::paper();
        options_.member.decision.hit_depth = hit_depth;
    }
    for (std::size_t i = 0; i < options_.nodes; ++i) {
        nodes_.push_back(std::make_unique<ClusterNode>(*this, i, random_.id<NodeId>(), events_, options_.engine));
        places_[nodes_.back()->id] = i;
    }
}

// Of a pair always the same, so that messages of one direction arrive in order.
Duration Cluster::delay(std::size_t a, std::size_t b) const {
    if (a == b) return {};
    SeededRandom pair(options_.seed ^ (std::min(a, b) << 32) ^ (std::max(a, b) << 8));
    auto range = static_cast<std::uint64_t>((options_.longest_delay - options_.shortest_delay).count());
    return options_.shortest_delay + Duration(pair.below(range + 1));
}

void Cluster::send(std::size_t from, const NodeId& to, ByteView message) {
    // A delta goes to everyone in turn: one copy serves all.
    if (!last_message_ || !std::ranges::equal(*last_message_, message))
        last_message_ = std::make_shared<const Bytes>(to_bytes(message));
    ClusterNode& target = *nodes_[places_.at(to)];
    events_.after(delay(from, target.place), [this, from, &target, copy = last_message_] {
        target.member->on_message(nodes_[from]->id, *copy, events_.now());
        arm_timer(target);
    });
}

void Cluster::arm_timer(ClusterNode& node) {
    Time next = node.member->next_timer();
    if (next >= node.armed || next == Time::max()) return;
    node.armed = next;
    events_.at(next, [this, &node, next] {
        if (node.armed != next) return;
        node.armed = Time::max();
        node.member->on_timer(events_.now());
        arm_timer(node);
    });
}

void Cluster::start_members() {
    std::vector<routing::Peer> peers;
    for (const auto& node : nodes_) peers.push_back({node->id});
    const auto group_seed = random_.next();
    for (auto& node : nodes_) {
        node->random = std::make_unique<MemberRandom>(group_seed, random_.next());
        node->member = std::make_unique<routing::Member>(node->id, options_.member, 1, *node->random, *node);
    }
    // Not all in step, as they would not be.
    for (auto& node : nodes_) {
        auto period = static_cast<std::uint64_t>(options_.member.sync_period.count());
        events_.after(Duration(random_.below(period)), [this, &node = *node, peers] {
            node.member->set_peers(peers, routing::Trust::trusted, events_.now());
            tell_load(node);
            arm_timer(node);
        });
    }
}

Result<ClusterResult> Cluster::run() {
    if (has_members()) {
        start_members();
        events_.run_for(options_.settling);
    }
    start_ = events_.now();
    last_arrival_ = start_ + workload_.back().at;
    ClusterResult result;
    for (auto& node : nodes_) {
        node->counted_at = start_;
        if (!node->member) continue;
        result.sync_bytes -= node->member->counters().bytes_sent;
        result.sync_messages -= node->member->counters().messages_sent;
    }
    // The next one is scheduled by the one before: a long workload need not stand in the queue whole.
    events_.at(start_ + workload_.front().at, [this] { arrive(0); });
    while (done_ < workload_.size() && status_) events_.run_for(1s);
    if (!status_) return std::unexpected(status_.error());
    for (auto& node : nodes_) {
        double span = std::max(to_seconds(last_arrival_ - start_), 1e-6);
        result.nodes.push_back({node->requests, node->queued_time / span, to_seconds(node->engine.busy())});
        if (!node->member) continue;
        const routing::MemberCounters& counters = node->member->counters();
        result.sync_bytes += counters.bytes_sent;
        result.sync_messages += counters.messages_sent;
        result.refused_messages += counters.refused;
        result.corrections += counters.corrections;
        result.arrays.push_back(node->member->array());
    }
    for (std::size_t i = 0; i < workload_.size(); ++i)
        result.seconds = std::max(result.seconds, to_seconds(workload_[i].at + outcomes_[i].latency));
    result.outcomes = std::move(outcomes_);
    return result;
}

void Cluster::arrive(std::size_t number) {
    if (number + 1 < workload_.size())
        events_.at(start_ + workload_[number + 1].at, [this, number] { arrive(number + 1); });
    const WorkloadRequest& request = workload_[number];
    RequestOutcome& outcome = outcomes_[number];
    Bytes prompt = request.prompt_bytes();
    auto blocks = block_ids(prompt, block_bytes());
    std::size_t entry = random_.below(nodes_.size());
    if (request.follows && options_.affinity) entry = outcomes_[*request.follows].node;
    std::size_t chosen = choose(number, entry, prompt, blocks);
    outcome.node = chosen;
    outcome.prompt_tokens = request.prompt_tokens;
    outcome.output_tokens = request.output_tokens;
    outcome.forwarded = chosen != entry;
    ClusterNode& target = *nodes_[chosen];
    outcome.held_tokens = target.held_tokens(blocks, request.prompt_tokens);
    for (const auto& node : nodes_)
        outcome.best_held_tokens = std::max(outcome.best_held_tokens, node->held_tokens(blocks, request.prompt_tokens));
    std::size_t claimed = std::min<std::size_t>(outcome.claimed_tokens / options_.engine.block_tokens, blocks.size());
    outcome.ever_held = claimed == 0 || target.presence.ever(blocks[claimed - 1]);
    if (options_.arm == Arm::round_robin || chosen == entry) return submit(number, chosen, std::move(prompt));
    std::uint32_t uncached = request.prompt_tokens - outcome.held_tokens;
    ++target.coming_requests;
    target.coming_tokens += uncached;
    events_.after(delay(entry, chosen), [this, number, chosen, uncached, prompt = std::move(prompt)]() mutable {
        --nodes_[chosen]->coming_requests;
        nodes_[chosen]->coming_tokens -= uncached;
        submit(number, chosen, std::move(prompt));
    });
}

std::size_t Cluster::choose(std::size_t number, std::size_t entry, ByteView prompt, std::span<const BlockId> blocks) {
    if (options_.arm == Arm::round_robin) return number % nodes_.size();
    if (options_.arm == Arm::oracle) return choose_by_truth(number, entry, blocks);
    routing::Member& member = *nodes_[entry]->member;
    routing::Placement placement = member.place(prompt, {}, events_.now());
    std::size_t chosen = places_.at(placement.node);
    if (chosen != entry) member.on_forwarded(placement, events_.now());
    outcomes_[number].claimed_tokens = static_cast<std::uint32_t>(placement.cached_tokens);
    outcomes_[number].best_claimed_tokens = static_cast<std::uint32_t>(placement.best_cached_tokens);
    outcomes_[number].reason = placement.reason;
    return chosen;
}

std::size_t Cluster::choose_by_truth(std::size_t number, std::size_t entry, std::span<const BlockId> blocks) {
    std::vector<routing::Candidate> candidates;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        // The entry node first, as Member does.
        const ClusterNode& node = *nodes_[(entry + i) % nodes_.size()];
        std::uint32_t held = node.held_tokens(blocks, workload_[number].prompt_tokens);
        candidates.push_back({.node = static_cast<routing::HolderIndex>(node.place),
                              .load = node.load(),
                              .in_flight_requests = static_cast<std::uint32_t>(node.coming_requests),
                              .in_flight_tokens = node.coming_tokens,
                              .depth = held * bytes_per_token / options_.member.array.tail,
                              .cached_tokens = held});
    }
    auto decision =
        routing::decide(candidates, {workload_[number].prompt_tokens, 0}, options_.member.decision, random_);
    outcomes_[number].claimed_tokens = static_cast<std::uint32_t>(candidates[decision->chosen].cached_tokens);
    outcomes_[number].reason = decision->reason;
    return candidates[decision->chosen].node;
}

void Cluster::submit(std::size_t number, std::size_t place, Bytes prompt) {
    const WorkloadRequest& request = workload_[number];
    ClusterNode& node = *nodes_[place];
    ClusterNode::Running running;
    running.submitted = events_.now();
    if (node.member) running.started = node.member->on_started(prompt);
    running.blocks = block_ids(request.with_answer(number), block_bytes());
    running.prompt_blocks = prompt.size() / block_bytes();
    node.presence.arrive(running.blocks, running.prompt_blocks);
    node.queued_tokens += uncached_tokens(request, running);
    ++node.requests;
    if (auto status = node.engine.submit({number, request.prompt_tokens, request.output_tokens, running.blocks});
        !status)
        status_ = status;
    node.running.emplace(number, std::move(running));
    node.count_queue(std::min(events_.now(), last_arrival_));
    tell_load(node);
}

void Cluster::tell_load(ClusterNode& node) {
    if (!node.member) return;
    if (options_.arm != Arm::hr_tree) node.member->set_load(node.load(), events_.now());
    arm_timer(node);
}

void Cluster::first_token(std::size_t place, std::uint64_t number) {
    ClusterNode& node = *nodes_[place];
    const WorkloadRequest& request = workload_[number];
    const ClusterNode::Running& running = node.running.at(number);
    node.queued_tokens -= uncached_tokens(request, running);
    if (node.member) node.member->on_computed(running.started.number);
    outcomes_[number].first_token = events_.now() - start_ - request.at;
    tell_load(node);
}

void Cluster::finished(std::size_t place, std::uint64_t number, const EngineUsage& usage) {
    ClusterNode& node = *nodes_[place];
    const WorkloadRequest& request = workload_[number];
    auto running = node.running.extract(number);
    outcomes_[number].latency = events_.now() - start_ - request.at;
    outcomes_[number].cached_tokens = usage.cached_tokens;
    node.presence.depart(running.mapped().blocks, running.mapped().prompt_blocks);
    node.latency.add(events_.now() - running.mapped().submitted);
    node.count_queue(std::min(events_.now(), last_arrival_));
    if (node.member) {
        Bytes whole = request.with_answer(number);
        node.member->on_finished(ByteView(whole).first(std::size_t{request.prompt_tokens} * bytes_per_token), whole,
                                 routing::Member::Report{usage.prompt_tokens, usage.cached_tokens,
                                                         running.mapped().started.expected_tokens});
    }
    tell_load(node);
    if (++done_ % 64 == 0 && options_.progress) options_.progress(done_);
}

}  // namespace

std::string_view to_string(Arm arm) {
    switch (arm) {
        case Arm::round_robin:
            return "round-robin";
        case Arm::hr_tree:
            return "HR-tree";
        case Arm::hr_tree_load_balancing:
            return "HR-tree + load balancing";
        case Arm::ours:
            return "ours";
        case Arm::oracle:
            return "oracle";
    }
    return "?";
}

Result<ClusterResult> run_cluster(const Workload& workload, const ClusterOptions& options) {
    if (workload.empty() || options.nodes == 0) return fail(ErrorCode::invalid_argument, "no requests, or no nodes");
    return Cluster(workload, options).run();
}

Result<double> round_robin_capacity(const Workload& workload, const ClusterOptions& options) {
    Workload at_once = workload;
    for (WorkloadRequest& request : at_once) request.at = {};
    ClusterOptions plain = options;
    plain.arm = Arm::round_robin;
    auto result = run_cluster(at_once, plain);
    if (!result) return std::unexpected(result.error());
    return static_cast<double>(workload.size()) / result->seconds;
}

}  // namespace planetserve::simulator
