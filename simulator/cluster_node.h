// One model node of a simulated group: a member (except in arms without members) and an engine. Used by
// routing_cluster.cpp alone.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "routing/member.h"
#include "simulator/engine_model.h"

namespace planetserve::simulator {

// A member draws its key first. Groups agree on one as they grow; here all start with it, or the start of a thousand
// members at the same moment would be an experiment of its own.
class MemberRandom final : public Random {
public:
    MemberRandom(std::uint64_t group, std::uint64_t own) : group_(group), own_(own) {}
    void fill(MutableByteView out) override { (std::exchange(first_, false) ? group_ : own_).fill(out); }

private:
    bool first_ = true;
    SeededRandom group_;
    SeededRandom own_;
};

// The prefixes of the requests that are at a node and not done yet, and all that were ever there.
class Presence {
public:
    void arrive(const std::vector<BlockId>& blocks, std::size_t prompt_blocks);
    void depart(const std::vector<BlockId>& blocks, std::size_t prompt_blocks);
    std::size_t match(std::span<const BlockId> blocks) const;
    bool ever(BlockId block) const { return ever_.contains(block); }

private:
    std::unordered_map<BlockId, std::uint32_t> expected_;
    std::unordered_set<BlockId> ever_;
};

// The cluster, as a node uses it.
class ClusterPart {
public:
    virtual ~ClusterPart() = default;
    virtual void send(std::size_t from, const NodeId& to, ByteView message) = 0;
    virtual void first_token(std::size_t place, std::uint64_t number) = 0;
    virtual void finished(std::size_t place, std::uint64_t number, const EngineUsage& usage) = 0;
};

struct ClusterNode final : routing::MemberOutput, EngineOutput {
    struct Running {
        std::size_t prompt_blocks = 0;
        std::vector<BlockId> blocks;
        Time submitted;
        // The member's answer about it.
        routing::Member::Started started{};
    };

    ClusterNode(ClusterPart& own_cluster, std::size_t own_place, const NodeId& own_id, EventQueue& events,
                const EngineParameters& parameters)
        : cluster(own_cluster), place(own_place), id(own_id), engine(events, parameters, *this) {}

    void send_sync(const NodeId& peer, ByteView message) override { cluster.send(place, peer, message); }
    void on_first_token(std::uint64_t number, const EngineUsage&) override { cluster.first_token(place, number); }
    void on_finished(std::uint64_t number, const EngineUsage& usage) override {
        cluster.finished(place, number, usage);
    }

    // As a real node reports it: a node sees when requests begin and when their first token comes, not the engine's
    // steps.
    routing::LoadReport load() const;
    // How much of a prompt its cache holds, or will hold once the requests there are done.
    std::uint32_t held_tokens(std::span<const BlockId> blocks, std::uint32_t prompt_tokens) const;
    // The engine's queue changed; for its average over time.
    void count_queue(Time now);

    ClusterPart& cluster;
    std::size_t place;
    NodeId id;
    EngineModel engine;
    std::unique_ptr<MemberRandom> random;
    std::unique_ptr<routing::Member> member;
    Time armed = Time::max();
    routing::LatencyAverage latency;
    // Uncached, of requests without a first token.
    std::uint64_t queued_tokens = 0;
    std::unordered_map<std::uint64_t, Running> running;
    Presence presence;
    // Requests on their way to it.
    std::size_t coming_requests = 0;
    std::uint64_t coming_tokens = 0;
    std::size_t requests = 0;
    double queued_time = 0;
    Time counted_at{};
    std::size_t counted = 0;
};

}  // namespace planetserve::simulator
