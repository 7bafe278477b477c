#include "scoring/token_score.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/requires.h"

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

// Where they and what is nearly as likely may come on another engine.
Place reach_of(Candidates candidates, Place place, double noise_floor) {
    const float logit = candidates[place.first].logit;
    while (place.first > 0 && candidates[place.first - 1].logit - logit < noise_floor) --place.first;
    while (place.last < candidates.size() && logit - candidates[place.last].logit < noise_floor) ++place.last;
    return place;
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

// All of the top_k, since a greedy draw leaves out nothing but by the temperature.
void score_greedy(TokenScore& score, Candidates candidates, TokenId token, const TokenRules& rules) {
    Place place = place_of(candidates, token);
    score.replayed = place.found() && place.first == 0;
    bool near = place.found() && candidates.front().logit - candidates[place.first].logit <= rules.greedy_noise_floor;
    score.distance = near ? 0 : 1;
}

// A candidate just behind the last that is left.
bool nearly_left(Candidates candidates, std::size_t left, TokenId token, double noise_floor) {
    for (std::size_t i = left; i < candidates.size(); ++i) {
        if (candidates[left - 1].logit - candidates[i].logit > noise_floor) return false;
        if (candidates[i].token == token) return true;
    }
    return false;
}

// Of `all` candidates, those that are left come first.
void score_drawn(TokenScore& score, Candidates all, std::size_t left, TokenId token, float temperature, double u,
                 double v, const TokenRules& rules) {
    Candidates candidates = all.first(left);
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
        bool near = nearly_left(all, left, token, rules.cut_noise_floor);
        double own = near ? std::max(weight.back() / total, least_probability) : least_probability;
        score.distance = near ? std::min(greatest_distance, 1 - u) : greatest_distance;
        score.surprise = -std::log(own) - entropy;
        score.rank = 1.0;
        return;
    }
    const Place reach = reach_of(candidates, place, rules.order_noise_floor);
    auto edge = [&](std::size_t behind) { return sum(std::span(weight).first(behind)) / total; };
    score.distance = std::min(greatest_distance, std::max({0.0, edge(reach.first) - u, u - edge(reach.last)}));
    const double below = edge(place.first);
    const double above = edge(place.last);
    std::size_t chosen = drawn(weight, u);
    score.replayed = place.first <= chosen && chosen < place.last;
    if (score.replayed) score.distance = 0;  // the edges above were rounded
    double own = weight[place.first] / total;
    score.surprise = -std::log(std::max(own, least_probability)) - entropy;
    score.rank = below + v * (above - below);
}

TokenScore score_as(TokenId token, const Position& position, const SamplingProfile& profile, double u, double v,
                    const TokenRules& rules) {
    TokenScore score;
    const double floor = std::log(least_probability);
    score.log_probability = position.log_probability ? std::max(*position.log_probability, floor) : floor;
    Candidates candidates = position.candidates;
    if (candidates.empty())
        score.distance = profile.greedy() ? 1 : greatest_distance;
    else if (profile.greedy())
        score_greedy(score, candidates.first(std::clamp<std::size_t>(profile.top_k, 1, candidates.size())), token,
                     rules);
    else
        score_drawn(score, candidates, candidates_left(candidates, profile), token, profile.temperature, u, v, rules);
    return score;
}

}  // namespace

std::size_t candidates_left(Candidates candidates, const SamplingProfile& profile) {
    if (candidates.empty()) return 0;
    std::size_t left = std::clamp<std::size_t>(profile.top_k, 1, candidates.size());
    if (profile.top_p < 1) {
        // Sums in the engine's order and precision: which candidate is the last may hang on a rounding.
        std::vector<float> probability(left);
        float total = 0;
        for (std::size_t i = 0; i < left; ++i) {
            probability[i] = std::exp(candidates[i].logit - candidates.front().logit);
            total += probability[i];
        }
        float running = 0;
        for (std::size_t i = 0; i < left; ++i) {
            running += probability[i] / total;
            if (running >= profile.top_p) left = i + 1;
        }
    }
    if (profile.min_p > 0) {
        const float least = candidates.front().logit + std::log(profile.min_p);
        std::size_t i = 1;  // the first always stays
        while (i < left && candidates[i].logit >= least) ++i;
        left = i;
    }
    return left;
}

TokenId draw_token(Candidates candidates, const SamplingProfile& profile, double u) {
    REQUIRES(!candidates.empty());
    if (profile.greedy()) return candidates.front().token;
    candidates = candidates.first(candidates_left(candidates, profile));
    return candidates[drawn(weights(candidates, profile.temperature), u)].token;
}

TokenScore score_token(const Position& position, const SamplingProfile& profile, double u, double v,
                       const TokenRules& rules) {
    TokenScore best = score_as(position.emitted, position, profile, u, v, rules);
    for (TokenId other : position.other_ends) {
        TokenScore score = score_as(other, position, profile, u, v, rules);
        if (score.replayed > best.replayed || (score.replayed == best.replayed && score.distance < best.distance))
            best = score;
    }
    return best;
}

}  // namespace planetserve::scoring
