#include "routing/decide.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace planetserve::routing {

namespace {

struct Scored {
    std::size_t position = 0;
    double score = 0;
    // What one more request adds to the score. Smaller differences mean little.
    double grain = 0;
};
using Pool = std::vector<Scored>;

// Linear between ranks, like NumPy's percentile. REQUIRES: pool is not empty.
double quantile(const Pool& pool, double share) {
    std::vector<double> scores;
    for (const Scored& scored : pool) scores.push_back(scored.score);
    double rank = share * static_cast<double>(scores.size() - 1);
    auto lower = scores.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(scores.begin(), lower, scores.end());
    if (lower + 1 == scores.end()) return *lower;
    double upper = *std::min_element(lower + 1, scores.end());
    return *lower + (upper - *lower) * (rank - std::floor(rank));
}

// REQUIRES: pool is not empty.
std::size_t lowest(const Pool& pool, const Parameters& parameters, Random& random) {
    const Scored& best = *std::ranges::min_element(pool, {}, &Scored::score);
    if (!parameters.spread_ties) return best.position;
    std::vector<std::size_t> ties;
    for (const Scored& scored : pool)
        if (scored.score <= best.score + parameters.tie_share * (best.score + scored.grain))
            ties.push_back(scored.position);
    return ties[random.below(ties.size())];
}

Pool filtered(const Pool& pool, auto&& keep) {
    Pool kept;
    std::ranges::copy_if(pool, std::back_inserter(kept), keep);
    return kept;
}

double prefill_rate(const Candidate& candidate, const Parameters& parameters) {
    return candidate.load.prefill_tokens_per_second > 0 ? candidate.load.prefill_tokens_per_second
                                                        : parameters.default_prefill_tokens_per_second;
}

double queue_of(const Candidate& candidate, const Parameters& parameters) {
    return double{1} * candidate.load.queued + (parameters.count_in_flight ? candidate.in_flight_requests : 0);
}

}  // namespace

double load_factor(const Candidate& candidate, const Parameters& parameters) {
    return candidate.load.factor(queue_of(candidate, parameters));
}

double expected_cost(const Candidate& candidate, const Request& request, const Parameters& parameters) {
    const double rate = prefill_rate(candidate, parameters);
    const double capacity = std::max(candidate.load.capacity, 1u);
    const double queue = queue_of(candidate, parameters);
    const double uncached =
        static_cast<double>(request.prompt_tokens - std::min(request.prompt_tokens, candidate.cached_tokens)) / rate;
    const double held_up = parameters.count_others ? std::min(queue, capacity) : 0;
    const double prompts = (static_cast<double>(candidate.load.queued_tokens) +
                            (parameters.count_in_flight ? static_cast<double>(candidate.in_flight_tokens) : 0)) /
                           rate;
    const double places = candidate.load.factor(std::max(0.0, queue + 1 - capacity));
    return uncached * (1 + held_up + parameters.displacement) + std::max(prompts, places) +
           parameters.load_weight * load_factor(candidate, parameters);
}

std::optional<Decision> decide(std::span<const Candidate> candidates, const Request& request,
                               const Parameters& parameters, Random& random) {
    Pool trusted;
    bool any_hit = false;
    std::uint32_t hit_depth = std::max(parameters.hit_depth, 1u);
    if (parameters.ignore_common_part) hit_depth = std::max(hit_depth, request.common_depth + 1);
    auto is_hit = [&](const Scored& scored) { return candidates[scored.position].depth >= hit_depth; };
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const Candidate& candidate = candidates[i];
        any_hit |= candidate.depth >= hit_depth;
        if (candidate.trust == Trust::not_trusted) continue;
        trusted.push_back({i, load_factor(candidate, parameters), candidate.load.factor(1.0)});
    }
    if (trusted.empty()) return std::nullopt;
    const bool trusted_hit = std::ranges::any_of(trusted, is_hit);
    const Reason without_hit = any_hit ? Reason::no_trusted_hit : Reason::no_hit;

    if (parameters.expected_cost) {
        for (Scored& scored : trusted) scored.score = expected_cost(candidates[scored.position], request, parameters);
        std::size_t chosen = lowest(trusted, parameters, random);
        if (!trusted_hit) return Decision{chosen, without_hit};
        return Decision{chosen, candidates[chosen].depth >= hit_depth ? Reason::hit : Reason::least_cost};
    }

    if (!trusted_hit) return Decision{lowest(trusted, parameters, random), without_hit};
    const double overloaded = quantile(trusted, parameters.overload_quantile);
    Pool qualified =
        filtered(trusted, [&](const Scored& scored) { return is_hit(scored) && scored.score <= overloaded; });
    if (!qualified.empty()) return Decision{lowest(qualified, parameters, random), Reason::hit};
    if (parameters.prefer_partial_holders) {
        const double median = quantile(trusted, 0.5);
        Pool partial = filtered(trusted, [&](const Scored& scored) {
            return !is_hit(scored) && candidates[scored.position].depth > 0 && scored.score <= median;
        });
        if (!partial.empty()) return Decision{lowest(partial, parameters, random), Reason::overloaded_hits};
    }
    return Decision{lowest(trusted, parameters, random), Reason::overloaded_hits};
}

}  // namespace planetserve::routing
