#include "scoring/token_score.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace planetserve::scoring {

namespace {

using Candidates = std::span<const Candidate>;

// Where the emitted token is among the candidates, with those of the same logit: [first, last), empty when it is none.
struct Place {
    std::size_t first = 0;
    std::size_t last = 0;
    bool found() const { return first < last; }
};

Place place_of(Candidates candidates, TokenId token) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (candidates[i].token != token) continue;
        Place place{i, i + 1};
        while (place.first > 0 && candidates[place.first - 1].logit == candidates[i].logit) --place.first;
        while (place.last < candidates.size() && candidates[place.last].logit == candidates[i].logit) ++place.last;
        return place;
    }
    return {};
}

// Not normalised, in the sampler's own types: a float each, summed as doubles.
std::vector<float> weights(Candidates candidates, float temperature) {
    std::vector<float> result;
    result.reserve(candidates.size());
    float highest = candidates.front().logit / temperature;
    for (const Candidate& candidate : candidates) result.push_back(std::exp(candidate.logit / temperature - highest));
    return result;
}

double sum(std::span<const float> values) {
    double total = 0;
    for (float value : values) total += value;
    return total;
}

std::size_t drawn(std::span<const float> weights, double u) {
    double target = sum(weights) * u;
    double running = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        running += weights[i];
        if (running >= target) return i;
    }
    return weights.size() - 1;
}

void score_greedy(TokenScore& score, Candidates candidates, TokenId token, const TokenRules& rules) {
    Place place = place_of(candidates, token);
    score.replayed = place.found() && place.first == 0;
    bool near = place.found() && candidates.front().logit - candidates[place.first].logit <= rules.greedy_noise_floor;
    score.distance = near ? 0 : 1;
}

void score_drawn(TokenScore& score, Candidates candidates, TokenId token, float temperature, double u, double v) {
    std::vector<float> weight = weights(candidates, temperature);
    const double total = sum(weight);
    double entropy = 0;
    double second_moment = 0;
    for (float w : weight) {
        double p = w / total;
        if (p <= 0) continue;
        double surprise = -std::log(p);
        entropy += p * surprise;
        second_moment += p * surprise * surprise;
    }
    score.variance = std::max(0.0, second_moment - entropy * entropy);
    Place place = place_of(candidates, token);
    if (!place.found()) {
        score.distance = greatest_distance;
        score.surprise = -std::log(least_probability) - entropy;
        score.rank = 1.0;
        return;
    }
    double below = sum(std::span(weight).first(place.first)) / total;
    double above = sum(std::span(weight).first(place.last)) / total;
    score.distance = std::min(greatest_distance, std::max({0.0, below - u, u - above}));
    std::size_t chosen = drawn(weight, u);
    score.replayed = place.first <= chosen && chosen < place.last;
    if (score.replayed) score.distance = 0;  // the edges above were rounded
    double own = weight[place.first] / total;
    score.surprise = -std::log(std::max(own, least_probability)) - entropy;
    score.rank = below + v * (above - below);
}

}  // namespace

TokenId draw_token(Candidates candidates, const SamplingProfile& profile, double u) {
    candidates = candidates.first(std::min<std::size_t>(profile.top_k, candidates.size()));
    if (profile.greedy()) return candidates.front().token;
    return candidates[drawn(weights(candidates, profile.temperature), u)].token;
}

TokenScore score_token(const Position& position, const SamplingProfile& profile, double u, double v,
                       const TokenRules& rules) {
    TokenScore score;
    const double floor = std::log(least_probability);
    score.log_probability = position.log_probability ? std::max(*position.log_probability, floor) : floor;
    Candidates candidates = position.candidates;
    if (profile.top_k > 0) candidates = candidates.first(std::min<std::size_t>(profile.top_k, candidates.size()));
    if (candidates.empty()) {
        score.distance = profile.greedy() ? 1 : greatest_distance;
        return score;
    }
    if (profile.greedy())
        score_greedy(score, candidates, position.emitted, rules);
    else
        score_drawn(score, candidates, position.emitted, profile.temperature, u, v);
    return score;
}

}  // namespace planetserve::scoring
