#include "adapters/scorer/candidates.h"

#include <algorithm>
#include <cmath>

#include "base/requires.h"

namespace planetserve::adapters {

std::vector<scoring::Candidate> likeliest(std::span<const float> logits, std::uint32_t top_k) {
    auto higher = [](const scoring::Candidate& a, const scoring::Candidate& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
    };
    std::vector<scoring::Candidate> heap;  // the lowest of those kept on top
    heap.reserve(std::min<std::size_t>(top_k, logits.size()));
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (std::isnan(logits[i])) continue;
        if (heap.size() == top_k) {
            if (heap.empty() || logits[i] <= heap.front().logit) continue;
            std::ranges::pop_heap(heap, higher);
            heap.pop_back();
        }
        heap.push_back({scoring::TokenId(static_cast<std::uint32_t>(i)), logits[i]});
        std::ranges::push_heap(heap, higher);
    }
    std::ranges::sort(heap, higher);
    return heap;
}

double log_softmax(std::span<const float> logits, std::uint32_t at) {
    REQUIRES(at < logits.size());
    float highest = *std::ranges::max_element(logits);
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit - highest);
    return static_cast<double>(logits[at] - highest) - std::log(sum);
}

}  // namespace planetserve::adapters
