#include "eval/kit/cluster/cluster_work.h"

#include "eval/kit/cluster/trace_workload.h"

namespace planetserve::eval {

Result<ClusterWork> trace_work(const std::string& file, std::size_t most) {
    auto trace = load_trace(file, most);
    if (!trace) return std::unexpected(trace.error());
    ClusterWork work{.name = "trace", .requests = workload_of(*trace), .cluster = {}, .own_times = true};
    work.cluster.engine = simulator::EngineParameters::gpu_80gb();
    // All requests of the conversation trace share their first 512 tokens. The flow chart's threshold is for that: a
    // match that is no longer is no hit.
    const std::uint32_t shared = trace_block_tokens * simulator::bytes_per_token;
    work.cluster.member.decision.hit_depth = shared / work.cluster.member.array.tail + 1;
    return work;
}

Status set_load(ClusterWork& work, double load, Random& random) {
    auto capacity = round_robin_capacity(work.requests, work.cluster);
    if (!capacity) return std::unexpected(capacity.error());
    if (work.own_times)
        scale_arrivals(work.requests, *capacity * load);
    else
        set_poisson_arrivals(work.requests, *capacity * load, random);
    return {};
}

}  // namespace planetserve::eval
