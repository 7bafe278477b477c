// Scores a whole answer, and pools answers until they have enough tokens for a credit.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "scoring/token_score.h"

namespace planetserve::scoring {

// Why an answer ended, according to its node.
enum class FinishReason : std::uint8_t {
    end_of_text = 1,  // the model drew an end-of-generation token, which is the answer's last
    max_tokens = 2,   // the user's limit
    context_full = 3,
};
std::string_view to_string(FinishReason reason);

// Whether an answer ends as it should, whatever its tokens are.
enum class Structure : std::uint8_t {
    sound,
    empty,
    too_short,  // "max_tokens" with fewer (apart from those held back), or "context_full" with room left
    too_long,   // more tokens than asked for
    went_on,    // tokens behind the end of the text
    false_end,  // "end_of_text" without such a token, or with one that the nonce does not draw there
};
std::string_view to_string(Structure structure);

// A stream whose limit ends within a character holds back the tokens of its beginning: at most three, one a byte.
inline constexpr std::size_t most_held_back = 3;

struct ScoredText {
    std::span<const Position> positions = {};
    FinishReason finish = FinishReason::end_of_text;
    std::size_t context_left = 0;  // tokens that the node's context had room for behind the prompt; 0: not known
    std::size_t unscored = 0;      // tokens of a long answer that come behind these positions
};

struct AnswerRules {
    TokenRules token = {};
    // The last token of an answer that ended by itself may lie so far from its draw: more is a false end. Wide, since
    // an honest answer of another engine must never be taken for one.
    double end_tolerance = 0.35;
};

struct AnswerScore {
    std::vector<TokenScore> tokens = {};
    Structure structure = Structure::sound;
};

// Scores every position, the last one too.
// Requires: scorable(profile).
AnswerScore score_answer(const ScoredText& text, const SamplingProfile& profile, const Nonce& nonce,
                         const AnswerRules& rules = {});

// The figures of one or several answers of a node.
struct Statistics {
    std::size_t tokens = 0;
    std::size_t mismatches = 0;     // tokens that the nonce does not draw
    double inverse_perplexity = 0;  // 1 / PPL, the paper's credit
    double margin = 0;              // mean distance
    double entropy_z = 0;           // sum of surprises / sqrt(sum of variances)
    double kolmogorov_smirnov = 0;  // of the ranks against uniform, times sqrt(n)
    std::size_t drawn = 0;          // tokens that were not greedy: without any, the two before say nothing
    std::size_t unsound = 0;        // answers whose structure is not sound
};

class Pool {
public:
    // REQUIRES: fewer than 2^32 tokens in all.
    void add(const AnswerScore& answer);
    std::size_t tokens() const { return tokens_; }
    Statistics statistics() const;

private:
    std::size_t tokens_ = 0;
    std::size_t mismatches_ = 0;
    std::size_t unsound_ = 0;
    double log_probability_ = 0;
    double distance_ = 0;
    double surprise_ = 0;
    double variance_ = 0;
    std::vector<double> ranks_;
};

// sup |F_n(x) - x| of values against the uniform distribution on [0, 1].
double kolmogorov_distance(std::vector<double> values);

}  // namespace planetserve::scoring
