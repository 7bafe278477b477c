// The model nodes that are compared: honest ones, and ways to cheat.
#pragma once

#include <string>
#include <vector>

#include "eval/verification/prompts.h"
#include "scoring/sampling.h"

namespace planetserve::eval {

struct Arm {
    std::string name = "claimed";
    std::string title = "the claimed model";
    // What its engine runs: "" is the claimed model; else a type that llama-quantize makes of it ("Q2_K"), "pruned", or
    // the path of a GGUF.
    std::string model = "";
    bool flash_attention = false;  // true: other kernels than the verifier's
    Alteration alteration = Alteration::none;
    float temperature = 1;  // times what was asked for; 0: greedy
    bool ignores_seed = false;
    bool honest = false;
};

// Those whose answers an engine gives; others are made of these (truncated, mixtures).
std::vector<Arm> engine_arms(bool quick);

// What the arm asks its engine for, where it was asked for this.
scoring::SamplingProfile as_drawn(const Arm& arm, const scoring::SamplingProfile& asked, std::uint32_t other_seed,
                                  const scoring::Nonce& nonce);

}  // namespace planetserve::eval
