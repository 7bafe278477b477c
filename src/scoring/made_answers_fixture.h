// For tests: answers of a model that is a random number generator, drawn honestly.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "scoring/answer_score.h"

namespace planetserve::scoring {

struct MadeAnswer {
    std::vector<Position> positions = {};
    Nonce nonce = {};
    FinishReason finish = FinishReason::max_tokens;
    std::size_t context_left = 0;

    AnswerScore score(const SamplingProfile& profile) const {
        return score_answer({.positions = positions, .finish = finish, .context_left = context_left}, profile, nonce);
    }
};

class MadeAnswers {
public:
    explicit MadeAnswers(std::uint64_t seed) : random_(seed) {}

    // Logits of positions are independent; `noise` is added to those that the answer is drawn from, not to those that
    // it is scored by.
    MadeAnswer draw(const SamplingProfile& profile, std::uint32_t length, double noise = 0) {
        MadeAnswer answer;
        random_.fill(answer.nonce.value);
        SamplingDraws draws(seed_of(profile, answer.nonce));
        for (std::uint32_t i = 0; i < length; ++i) answer.positions.push_back(position(profile, draws.next(), noise));
        return answer;
    }

private:
    Position position(const SamplingProfile& profile, double u, double noise) {
        Position position;
        for (std::uint32_t i = 0; i < 60; ++i)
            position.candidates.push_back({TokenId(i), static_cast<float>(6 * random_.unit())});
        auto descending = [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; };
        auto seen = position.candidates;
        for (Candidate& candidate : seen) candidate.logit += static_cast<float>(noise * (2 * random_.unit() - 1));
        std::ranges::sort(seen, descending);
        std::ranges::sort(position.candidates, descending);
        seen.resize(candidates_left(seen, profile));
        double total = 0;
        std::vector<float> weights;
        for (const Candidate& candidate : seen) {
            weights.push_back(std::exp(candidate.logit / profile.temperature - seen[0].logit / profile.temperature));
            total += weights.back();
        }
        double running = 0;
        for (std::size_t i = 0; i < seen.size(); ++i) {
            running += weights[i];
            position.emitted = seen[i].token;
            if (running >= total * u) break;
        }
        position.log_probability = -1;
        return position;
    }

    SeededRandom random_;
};

}  // namespace planetserve::scoring
