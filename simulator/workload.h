// Requests for experiments on routing: the time, the prompt and the answer's length of each.
//
// A prompt's canonical serialisation is a sequence of parts, each a number of bytes that follow from a seed alone: so
// equal seeds mean equal text, and a workload of gigabytes of prompts takes a few megabytes. A token is 4 bytes
// everywhere, which is about what English text has.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/time.h"

namespace planetserve::simulator {

inline constexpr std::uint32_t bytes_per_token = 4;

struct PromptPart {
    std::uint64_t seed = 0;
    std::uint32_t tokens = 0;
};

struct WorkloadRequest {
    // Since the workload's start.
    Duration at{};
    std::vector<PromptPart> prompt{};
    std::uint32_t prompt_tokens = 0;
    std::uint32_t output_tokens = 1;
    // The request whose conversation this one continues: an earlier one of the same workload.
    std::optional<std::size_t> follows{};

    Bytes prompt_bytes() const;
    // The prompt, and an answer that no other request gets.
    Bytes with_answer(std::size_t number) const;
};

// In the order of their time.
using Workload = std::vector<WorkloadRequest>;

double mean_rate(const Workload& workload);
// Arrivals of a Poisson process in place of the workload's own times.
void set_poisson_arrivals(Workload& workload, double requests_per_second, Random& random);
// The workload's own times, stretched or compressed to a mean rate.
void scale_arrivals(Workload& workload, double requests_per_second);

// Prompts that share long beginnings: each request draws one of the beginnings by Zipf's law and adds text of its own.
struct SharedPrompts {
    std::size_t beginnings = 100;
    double zipf = 1.1;
    std::uint32_t shortest = 2000;  // of a beginning, in tokens; evenly in between
    std::uint32_t longest = 8000;
    std::uint32_t own_shortest = 50;
    std::uint32_t own_longest = 300;
    std::uint32_t answer_shortest = 32;
    std::uint32_t answer_longest = 160;

    // The paper's three kinds of sharing, with its exponents; the lengths are ours.
    static SharedPrompts tools(std::size_t beginnings);
    static SharedPrompts coding(std::size_t beginnings);
    static SharedPrompts documents(std::size_t beginnings);
};
Workload shared_prompts(const SharedPrompts& kind, std::size_t requests, Random& random);
// Each request of one of the kinds, drawn evenly.
Workload mixed_prompts(const std::vector<SharedPrompts>& kinds, std::size_t requests, Random& random);

}  // namespace planetserve::simulator
