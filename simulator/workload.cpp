#include "simulator/workload.h"

#include <algorithm>
#include <cmath>

namespace planetserve::simulator {

namespace {

void add_part(Bytes& out, const PromptPart& part) {
    const std::size_t begin = out.size();
    out.resize(begin + std::size_t{part.tokens} * bytes_per_token);
    SeededRandom(part.seed).fill(MutableByteView(out).subspan(begin));
}

std::uint32_t between(std::uint32_t least, std::uint32_t most, Random& random) {
    return least + static_cast<std::uint32_t>(random.below(most - least + 1));
}

// Draws 0, 1, 2, ... with probability in proportion to 1 / (i + 1)^exponent.
class Zipf {
public:
    Zipf(std::size_t count, double exponent) {
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i)
            cumulative_.push_back(sum += std::pow(static_cast<double>(i + 1), -exponent));
    }
    std::size_t draw(Random& random) const {
        auto found = std::ranges::upper_bound(cumulative_, random.unit() * cumulative_.back());
        return std::min(static_cast<std::size_t>(found - cumulative_.begin()), cumulative_.size() - 1);
    }

private:
    std::vector<double> cumulative_;
};

class Kind {
public:
    Kind(const SharedPrompts& kind, Random& random) : kind_(kind), zipf_(kind.beginnings, kind.zipf) {
        for (std::size_t i = 0; i < kind.beginnings; ++i)
            beginnings_.push_back({random.next(), between(kind.shortest, kind.longest, random)});
    }
    WorkloadRequest draw(Random& random) const {
        WorkloadRequest request;
        request.prompt = {beginnings_[zipf_.draw(random)],
                          {random.next(), between(kind_.own_shortest, kind_.own_longest, random)}};
        request.prompt_tokens = request.prompt[0].tokens + request.prompt[1].tokens;
        request.output_tokens = between(kind_.answer_shortest, kind_.answer_longest, random);
        return request;
    }

private:
    SharedPrompts kind_;
    Zipf zipf_;
    std::vector<PromptPart> beginnings_;
};

}  // namespace

Bytes WorkloadRequest::prompt_bytes() const {
    Bytes bytes;
    bytes.reserve((std::size_t{prompt_tokens} + output_tokens) * bytes_per_token);
    for (const PromptPart& part : prompt) add_part(bytes, part);
    return bytes;
}

Bytes WorkloadRequest::with_answer(std::size_t number) const {
    Bytes bytes = prompt_bytes();
    add_part(bytes, {0x416e737765720000ULL + number, output_tokens});
    return bytes;
}

double mean_rate(const Workload& workload) {
    if (workload.size() < 2) return 0;
    return static_cast<double>(workload.size() - 1) / to_seconds(workload.back().at - workload.front().at);
}

void set_poisson_arrivals(Workload& workload, double requests_per_second, Random& random) {
    double at = 0;
    for (WorkloadRequest& request : workload) {
        at += -std::log(1 - random.unit()) / requests_per_second;
        request.at = std::chrono::round<Duration>(std::chrono::duration<double>(at));
    }
}

void scale_arrivals(Workload& workload, double requests_per_second) {
    const double factor = mean_rate(workload) / requests_per_second;
    for (WorkloadRequest& request : workload)
        request.at = std::chrono::round<Duration>(std::chrono::duration<double>(to_seconds(request.at) * factor));
}

SharedPrompts SharedPrompts::tools(std::size_t beginnings) { return {.beginnings = beginnings}; }

SharedPrompts SharedPrompts::coding(std::size_t beginnings) {
    return {.beginnings = beginnings,
            .zipf = 0.8,
            .shortest = 500,
            .longest = 2000,
            .answer_shortest = 200,
            .answer_longest = 600};
}

SharedPrompts SharedPrompts::documents(std::size_t beginnings) {
    return {.beginnings = beginnings,
            .zipf = 0.6,
            .shortest = 8000,
            .longest = 24'000,
            .own_shortest = 30,
            .own_longest = 100,
            .answer_shortest = 20,
            .answer_longest = 100};
}

Workload shared_prompts(const SharedPrompts& kind, std::size_t requests, Random& random) {
    return mixed_prompts({kind}, requests, random);
}

Workload mixed_prompts(const std::vector<SharedPrompts>& kinds, std::size_t requests, Random& random) {
    std::vector<Kind> drawn;
    for (const SharedPrompts& kind : kinds) drawn.emplace_back(kind, random);
    Workload workload;
    for (std::size_t i = 0; i < requests; ++i) workload.push_back(drawn[random.below(drawn.size())].draw(random));
    return workload;
}

}  // namespace planetserve::simulator
