#include "simulator/cluster_node.h"

#include <algorithm>

namespace planetserve::simulator {

void Presence::arrive(const std::vector<BlockId>& blocks, std::size_t prompt_blocks) {
    for (std::size_t i = 0; i < prompt_blocks; ++i) ++expected_[blocks[i]];
    ever_.insert(blocks.begin(), blocks.end());
}

void Presence::depart(const std::vector<BlockId>& blocks, std::size_t prompt_blocks) {
    for (std::size_t i = 0; i < prompt_blocks; ++i)
        if (auto found = expected_.find(blocks[i]); --found->second == 0) expected_.erase(found);
}

std::size_t Presence::match(std::span<const BlockId> blocks) const {
    std::size_t count = 0;
    while (count < blocks.size() && expected_.contains(blocks[count])) ++count;
    return count;
}

routing::LoadReport ClusterNode::load() const {
    const EngineParameters& parameters = engine.parameters();
    return {.latency_us = static_cast<std::uint32_t>(latency.microseconds()),
            .queued = static_cast<std::uint32_t>(engine.queued()),
            .capacity = static_cast<std::uint32_t>(parameters.maximum_running),
            .queued_tokens = static_cast<std::uint32_t>(queued_tokens),
            .prefill_tokens_per_second = static_cast<std::uint32_t>(parameters.prefill_tokens_per_second)};
}

std::uint32_t ClusterNode::held_tokens(std::span<const BlockId> blocks, std::uint32_t prompt_tokens) const {
    const std::size_t block = engine.parameters().block_tokens;
    const std::size_t most = std::min<std::size_t>(blocks.size(), (prompt_tokens - 1) / block);
    auto expected = static_cast<std::uint32_t>(presence.match(blocks.first(most)) * block);
    return std::max(engine.cached_tokens(blocks, prompt_tokens), expected);
}

void ClusterNode::count_queue(Time now) {
    queued_time += to_seconds(now - counted_at) * static_cast<double>(counted);
    counted_at = now;
    counted = engine.queued();
}

}  // namespace planetserve::simulator
