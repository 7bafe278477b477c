// Scores one token of an answer by the verifier's own copy of the model.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "scoring/sampling.h"

namespace planetserve::scoring {

struct Candidate {
    TokenId token{};
    float logit = 0;

    bool operator==(const Candidate&) const = default;
};

// One position of an answer: the candidates of the verifier's copy, and the token in the answer.
struct Position {
    TokenId emitted{};
    std::vector<Candidate> candidates = {};  // the most probable ones, descending; at least the profile's top_k of them
    // ln p of the emitted token over the whole vocabulary at temperature 1; nothing where it could not be read.
    std::optional<double> log_probability = std::nullopt;
    bool ends_text = false;  // the emitted token is one that ends a text (llama.cpp: end of generation)
    // Where it is: the other candidates that end a text too. To the reader all of them are the same end.
    std::vector<TokenId> other_ends = {};
};

// The paper's epsilon: the probability of a token that is outside what can be read.
inline constexpr double least_probability = 1e-5;
// A token that is no candidate lies so far from its draw.
inline constexpr double greatest_distance = 0.5;

struct TokenScore {
    // max(ln p, ln epsilon), as the paper scores it.
    double log_probability = 0;
    // How far the draw u lies from where in the cumulative distribution the emitted token may be, 0 when inside, at
    // most 1/2: the interval it occupies, and those of its neighbours that may change places with it. Greedy: 0 when
    // the token is the argmax within the noise floor, else 1.
    double distance = 0;
    // Whether llama.cpp's own arithmetic on these logits draws this very token.
    bool replayed = false;
    // With p = softmax(logit / T) over what the profile leaves of the candidates: -ln p(x) - H, and the variance of -ln
    // p. Both 0 when greedy.
    double surprise = 0;
    double variance = 0;
    // The probability of all that is likelier than x, and v times its own: uniform for an honest answer. Nothing when
    // greedy.
    std::optional<double> rank = std::nullopt;
};

struct TokenRules {
    // A greedy answer's token may have a logit so much below the highest.
    double greedy_noise_floor = 0.2;
    // A token that the profile leaves out may have a logit so much below the last that it does not: it is then taken
    // for one of no probability behind that, since on another engine it may have been left in.
    double cut_noise_floor = 0.2;
    // Candidates whose logits differ by less from a token's may come before it or after it on another engine.
    double order_noise_floor = 0.2;
};

// u is the sampler's draw for this token, v a uniform number that does not depend on it. Candidates with the same logit
// count as one, because engines sort them in any order. Of the tokens that end a text, the one that fits best counts.
// Requires: candidates are in descending order.
TokenScore score_token(const Position& position, const SamplingProfile& profile, double u, double v,
                       const TokenRules& rules = {});

// How many of the candidates the profile's top_k, top_p and min_p leave, in llama.cpp's own arithmetic; at least one
// if there is one.
// Requires: descending order.
std::size_t candidates_left(std::span<const Candidate> candidates, const SamplingProfile& profile);

// The token that llama.cpp draws by u from these candidates: the engine's part, for tests and experiments.
// Requires: candidates in descending order, at least one.
TokenId draw_token(std::span<const Candidate> candidates, const SamplingProfile& profile, double u);

}  // namespace planetserve::scoring
