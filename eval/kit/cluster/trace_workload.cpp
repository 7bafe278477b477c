#include "eval/kit/cluster/trace_workload.h"

#include <algorithm>
#include <unordered_map>

namespace planetserve::eval {

namespace {

void spread_equal_times(simulator::Workload& workload) {
    for (std::size_t begin = 0; begin < workload.size();) {
        std::size_t end = begin;
        while (end < workload.size() && workload[end].at == workload[begin].at) ++end;
        if (end == workload.size()) break;
        const Duration step = workload[end].at - workload[begin].at;
        const auto count = static_cast<Duration::rep>(end - begin);
        for (std::size_t i = begin; i < end; ++i)
            workload[i].at += step * static_cast<Duration::rep>(i - begin) / count;
        begin = end;
    }
}

}  // namespace

simulator::Workload workload_of(const std::vector<TraceRequest>& trace) {
    simulator::Workload workload;
    // By the id of its last whole block: the latest request.
    std::unordered_map<std::uint64_t, std::size_t> ends;
    for (const TraceRequest& traced : trace) {
        simulator::WorkloadRequest request;
        request.at = std::chrono::milliseconds(traced.timestamp_ms);
        // An empty prompt has no place in a cache, and every answer has a token.
        request.prompt_tokens = std::max(traced.input_length, 1u);
        request.output_tokens = std::max(traced.output_length, 1u);
        std::uint32_t left = request.prompt_tokens;
        for (std::uint64_t id : traced.hash_ids) {
            request.prompt.push_back({id, std::min(left, trace_block_tokens)});
            left -= request.prompt.back().tokens;
        }
        if (request.prompt.empty()) request.prompt.push_back({0, left});
        const std::size_t whole = request.prompt_tokens / trace_block_tokens;
        for (std::size_t i = whole; i > 1 && !request.follows; --i)
            if (auto found = ends.find(request.prompt[i - 1].seed); found != ends.end())
                request.follows = found->second;
        if (whole > 1) ends[request.prompt[whole - 1].seed] = workload.size();
        workload.push_back(std::move(request));
    }
    spread_equal_times(workload);
    return workload;
}

Result<std::vector<TraceRequest>> load_trace(const std::string& file, std::size_t most) {
    auto trace = read_trace(file);
    if (!trace) return std::unexpected(trace.error());
    auto& requests = trace->requests;
    for (std::size_t i = 1; i < requests.size(); ++i)
        if (requests[i].timestamp_ms < requests[i - 1].timestamp_ms)
            return fail(ErrorCode::malformed, trace->path.string() + ": requests are not in the order of their times");
    if (most > 0 && requests.size() > most) requests.resize(most);
    return std::move(requests);
}

Status trace_ready(const std::string& file) {
    if (!file.empty()) return {};
    auto found = default_trace();
    if (!found) return std::unexpected(found.error());
    return {};
}

}  // namespace planetserve::eval
