// Mooncake's traces as workloads.

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <unordered_map>

#include "simulator/workload.h"

namespace planetserve::simulator {

namespace {

std::optional<std::uint64_t> number(const boost::json::object& object, const char* name, std::uint64_t most) {
    const boost::json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
    auto found = static_cast<std::uint64_t>(value->get_int64());
    return found <= most ? std::optional(found) : std::nullopt;
}

// The last block may be shorter than the others, and an id says nothing of what follows it.
std::optional<WorkloadRequest> parse(const std::string& line) {
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(line, error);
    if (error || !value.is_object()) return std::nullopt;
    const auto& object = value.get_object();
    constexpr std::uint64_t longest = 4'000'000;
    auto at = number(object, "timestamp", 1'000'000'000'000);
    auto input = number(object, "input_length", longest);
    auto output = number(object, "output_length", longest);
    const boost::json::value* ids = object.if_contains("hash_ids");
    if (!at || !input || !output || ids == nullptr || !ids->is_array()) return std::nullopt;
    WorkloadRequest request;
    request.at = std::chrono::milliseconds(*at);
    request.prompt_tokens = static_cast<std::uint32_t>(*input);
    request.output_tokens = static_cast<std::uint32_t>(std::max<std::uint64_t>(*output, 1));
    std::uint32_t left = request.prompt_tokens;
    for (const boost::json::value& id : ids->get_array()) {
        if (!id.is_int64() || left == 0) return std::nullopt;
        std::uint32_t tokens = std::min(left, trace_block_tokens);
        request.prompt.push_back({static_cast<std::uint64_t>(id.get_int64()), tokens});
        left -= tokens;
    }
    if (left > 0 || request.prompt.empty()) return std::nullopt;
    return request;
}

// Published times are coarse: thousands of requests share a few hundred of them. Those of one time are spread evenly up
// to the next, since users do not ask in step.
void spread_equal_times(Workload& workload) {
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

Result<Workload> read_trace(const std::string& file, std::size_t most) {
    std::ifstream in(file);
    if (!in) return fail(ErrorCode::not_found, file + " cannot be read");
    Workload workload;
    // By the id of its last whole block: the latest request.
    std::unordered_map<std::uint64_t, std::size_t> ends;
    std::size_t line_number = 0;
    for (std::string line; std::getline(in, line) && (most == 0 || workload.size() < most);) {
        ++line_number;
        if (line.empty()) continue;
        auto request = parse(line);
        if (!request || (!workload.empty() && request->at < workload.back().at))
            return fail(ErrorCode::malformed, file + ", line " + std::to_string(line_number) +
                                                  ": no request in the form of Mooncake's traces");
        std::size_t whole = request->prompt_tokens / trace_block_tokens;
        for (std::size_t i = std::min(whole, request->prompt.size()); i > 1 && !request->follows; --i)
            if (auto found = ends.find(request->prompt[i - 1].seed); found != ends.end())
                request->follows = found->second;
        if (whole > 1) ends[request->prompt[whole - 1].seed] = workload.size();
        workload.push_back(std::move(*request));
    }
    if (workload.empty()) return fail(ErrorCode::malformed, file + " has no requests");
    spread_equal_times(workload);
    return workload;
}

}  // namespace planetserve::simulator
