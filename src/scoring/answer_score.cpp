#include "scoring/answer_score.h"

#include <algorithm>
#include <cmath>

namespace planetserve::scoring {

std::string_view to_string(FinishReason reason) {
    switch (reason) {
        case FinishReason::end_of_text:
            return "end of text";
        case FinishReason::max_tokens:
            return "max tokens";
        case FinishReason::context_full:
            return "context full";
    }
    return "unknown";
}

std::string_view to_string(Structure structure) {
    switch (structure) {
        case Structure::sound:
            return "sound";
        case Structure::empty:
            return "empty";
        case Structure::too_short:
            return "too short";
        case Structure::too_long:
            return "too long";
        case Structure::went_on:
            return "went on";
        case Structure::false_end:
            return "false end";
    }
    return "unknown";
}

namespace {

Structure structure_of(const ScoredText& text, const SamplingProfile& profile, const TokenScore& last,
                       double tolerance) {
    const std::size_t size = text.positions.size() + text.unscored;
    const bool cut = text.unscored > 0;
    auto ends = [](const Position& position) { return position.ends_text; };
    if (profile.max_tokens > 0 && size > profile.max_tokens) return Structure::too_long;
    if (std::ranges::any_of(text.positions.first(text.positions.size() - (cut ? 0 : 1)), ends))
        return Structure::went_on;
    switch (text.finish) {
        case FinishReason::end_of_text:
            return cut || (ends(text.positions.back()) && last.distance <= tolerance) ? Structure::sound
                                                                                      : Structure::false_end;
        case FinishReason::max_tokens:
            // A token that ends the text may be the last that was allowed.
            return profile.max_tokens > 0 && size + most_held_back >= profile.max_tokens ? Structure::sound
                                                                                         : Structure::too_short;
        case FinishReason::context_full:
            return cut || (text.context_left > 0 && size >= text.context_left) ? Structure::sound
                                                                               : Structure::too_short;
    }
    return Structure::false_end;
}

}  // namespace

AnswerScore score_answer(const ScoredText& text, const SamplingProfile& profile, const Nonce& nonce,
                         const AnswerRules& rules) {
    AnswerScore score;
    if (text.positions.empty()) {
        score.structure = Structure::empty;
        return score;
    }
    SamplingDraws draws(seed_of(profile, nonce));
    CompanionDraws companions(nonce);
    score.tokens.reserve(text.positions.size());
    for (const Position& position : text.positions) {
        double u = draws.next();
        double v = companions.next();
        score.tokens.push_back(score_token(position, profile, u, v, rules.token));
    }
    score.structure = structure_of(text, profile, score.tokens.back(), rules.end_tolerance);
    return score;
}

void Pool::add(const AnswerScore& answer) {
    if (answer.structure != Structure::sound) ++unsound_;
    for (const TokenScore& token : answer.tokens) {
        ++tokens_;
        if (!token.replayed) ++mismatches_;
        log_probability_ += token.log_probability;
        distance_ += token.distance;
        surprise_ += token.surprise;
        variance_ += token.variance;
        if (token.rank) ranks_.push_back(*token.rank);
    }
}

Statistics Pool::statistics() const {
    Statistics result;
    result.tokens = tokens_;
    result.mismatches = mismatches_;
    result.drawn = ranks_.size();
    result.unsound = unsound_;
    if (tokens_ == 0) return result;
    auto count = static_cast<double>(tokens_);
    result.inverse_perplexity = std::exp(log_probability_ / count);
    result.margin = distance_ / count;
    // Where nothing was left to chance, a surprise is as great as the bound on one makes it.
    constexpr double least_variance = 1e-6;
    result.entropy_z = surprise_ / std::sqrt(std::max(variance_, least_variance));
    if (!ranks_.empty())
        result.kolmogorov_smirnov = kolmogorov_distance(ranks_) * std::sqrt(static_cast<double>(ranks_.size()));
    return result;
}

double kolmogorov_distance(std::vector<double> values) {
    std::ranges::sort(values);
    auto count = static_cast<double>(values.size());
    double greatest = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        double before = static_cast<double>(i) / count;
        double after = static_cast<double>(i + 1) / count;
        greatest = std::max({greatest, after - values[i], values[i] - before});
    }
    return greatest;
}

}  // namespace planetserve::scoring
