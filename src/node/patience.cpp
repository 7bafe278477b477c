#include "node/patience.h"

#include <algorithm>

#include "inference/bounded_json.h"

namespace planetserve::node {

namespace {

constexpr std::size_t json_memory_limit = 64 << 20;

// Tokens before the first byte comes: of the whole answer where it does not stream.
std::uint64_t tokens_before_the_first_byte(const inference::Request& request, const PatienceLimits& limits) {
    if (request.method != "POST" || request.path.ends_with("/embeddings")) return 0;
    auto body = inference::parse_json(as_text(request.body), json_memory_limit);
    if (!body || inference::is_true(inference::find(&*body, "stream"))) return 0;
    std::uint64_t tokens = limits.usual_tokens;
    for (const char* name : {"max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"})
        if (auto count = inference::count_of(inference::find(&*body, name)))
            tokens = std::max<std::uint64_t>(*count, 1);
    return tokens * inference::count_of(inference::find(&*body, "n")).value_or(1);
}

}  // namespace

Duration patience_for(const inference::Request& request, const PatienceLimits& limits) {
    const auto kib = static_cast<std::int64_t>(request.body.size() >> 10);
    // More than that is longer than the longest in any case.
    const auto tokens =
        static_cast<std::int64_t>(std::min<std::uint64_t>(tokens_before_the_first_byte(request, limits), 1'000'000));
    return std::min(limits.longest, limits.first_byte + limits.each_kib * kib + limits.each_token * tokens);
}

}  // namespace planetserve::node
