// How well a figure tells dishonest answers from honest ones.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "scoring/credit.h"

namespace planetserve::eval {

// The scored tokens of a model node, one answer after the other.
struct TokenStream {
    std::vector<scoring::TokenScore> tokens = {};
    std::vector<std::size_t> unsound = {};  // places of last tokens of answers whose structure is unsound

    void add(const scoring::AnswerScore& answer);
};

// Consecutive windows of so many tokens; what is left at the end is dropped.
std::vector<scoring::Statistics> windows(const TokenStream& stream, std::size_t tokens);

// By what windows are ranked, the higher the more suspicious.
enum class Suspicion : std::uint8_t { inverse_perplexity, margin, entropy, rank };
inline constexpr std::array suspicions{Suspicion::inverse_perplexity, Suspicion::margin, Suspicion::entropy,
                                       Suspicion::rank};
std::string_view to_string(Suspicion by);
std::vector<double> suspicion(std::span<const scoring::Statistics> windows, Suspicion by);

// The probability that a dishonest one is above an honest one, ties half: 1/2 is blind, 0 is always wrong. Not a number
// of nothing.
double area_under_curve(std::vector<double> honest, std::span<const double> dishonest);

// The share of dishonest ones above the lowest threshold that at most so large a share of honest ones is above.
double detected_at(std::vector<double> honest, std::span<const double> dishonest, double false_alarms);

}  // namespace planetserve::eval
