#include "eval/kit/live/live_work.h"

#include <algorithm>
#include <cmath>

namespace planetserve::eval {

namespace {

constexpr double conversation_scale = 0.1;
constexpr std::uint32_t shortest = 2'000;
constexpr std::uint32_t longest = 12'000;
constexpr double zipf_exponent = 1.1;

// Which of n, the first the likeliest.
std::size_t draw_zipf(std::size_t n, Random& random) {
    double all = 0;
    for (std::size_t i = 1; i <= n; ++i) all += std::pow(static_cast<double>(i), -zipf_exponent);
    double left = random.unit() * all;
    for (std::size_t i = 1; i < n; ++i) {
        left -= std::pow(static_cast<double>(i), -zipf_exponent);
        if (left < 0) return i - 1;
    }
    return n - 1;
}

}  // namespace

Result<LiveWork> conversation_work(const std::string& trace, std::size_t requests, std::uint64_t seed) {
    auto read = read_trace(trace);
    if (!read) return std::unexpected(read.error());
    SeededRandom random(seed);
    auto picked = pick_conversations(read->requests, requests, 2, shortest, longest, random);
    if (picked.size() < requests)
        return fail(ErrorCode::invalid_argument, read->path.string() + " has only " + std::to_string(picked.size()) +
                                                     " requests in conversations that fit");
    LiveWork work{{}, infinite_cache_share(picked)};
    for (const auto& request : picked)
        work.items.push_back(work_of(request, {conversation_scale, conversation_scale, 64}));
    return work;
}

LiveWork tool_work(std::size_t tools, std::size_t requests, std::uint64_t seed) {
    SeededRandom random(seed);
    std::vector<std::uint32_t> lengths;
    for (std::size_t i = 0; i < tools; ++i) lengths.push_back(static_cast<std::uint32_t>(400 + random.below(501)));
    LiveWork work;
    std::vector<bool> seen(tools);
    double cached = 0;
    double all = 0;
    for (std::size_t i = 0; i < requests; ++i) {
        std::size_t tool = draw_zipf(tools, random);
        auto question = static_cast<std::uint32_t>(20 + random.below(41));
        // As blocks: a tool's prompt is that of a trace with ids of its own, the question one with an id nobody shares.
        auto blocks = [](std::uint64_t id, std::uint32_t tokens) {
            TraceRequest request{0, tokens, 0, {}};
            for (std::uint32_t at = 0; at < tokens; at += trace_block_tokens) request.hash_ids.push_back(id + at);
            return prompt_of(request, {});
        };
        WorkItem item;
        item.messages = user_message(blocks((tool + 1) << 32, lengths[tool]) + " " +
                                     blocks((std::uint64_t{1} << 62) + (seed << 32) + (i << 12), question));
        item.max_tokens = 16;
        work.items.push_back(std::move(item));
        cached += seen[tool] ? lengths[tool] : 0;
        all += lengths[tool] + question;
        seen[tool] = true;
    }
    work.ceiling = all > 0 ? cached / all : 0;
    return work;
}

}  // namespace planetserve::eval
