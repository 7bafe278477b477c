// From a row of logits to the candidates that a sampler sees.
#pragma once

#include <span>
#include <vector>

#include "scoring/token_score.h"

namespace planetserve::adapters {

// The top_k highest, descending; fewer where there are fewer. A logit that is not a number is no candidate.
std::vector<scoring::Candidate> likeliest(std::span<const float> logits, std::uint32_t top_k);

// ln of the softmax at a place, in double precision. Requires: at < logits.size().
double log_softmax(std::span<const float> logits, std::uint32_t at);

}  // namespace planetserve::adapters
