#include "eval/verification/arms.h"

namespace planetserve::eval {

std::vector<Arm> engine_arms(bool quick) {
    std::vector<Arm> arms{
        {.name = "honest", .title = "honest, the verifier's kernels", .honest = true},
        {.name = "honest_other", .title = "honest, other kernels", .flash_attention = true, .honest = true},
        {.name = "q2_k", .title = "2 bits (Q2_K)", .model = "Q2_K"},
        {.name = "pruned", .title = "smaller (layers pruned)", .model = "pruned"},
        {.name = "greedy", .title = "greedy", .temperature = 0},
        {.name = "seed_ignored", .title = "seed ignored", .ignores_seed = true},
        {.name = "clickbait", .title = "clickbait prefix", .alteration = Alteration::clickbait},
    };
    if (quick) return arms;
    arms.insert(
        arms.end(),
        {
            {.name = "q8_0", .title = "8 bits (Q8_0), finer", .model = "Q8_0"},
            {.name = "q4_0", .title = "4 bits (Q4_0)", .model = "Q4_0"},
            {.name = "q3_k_m", .title = "3 bits (Q3_K_M)", .model = "Q3_K_M"},
            {.name = "hotter", .title = "temperature x 1.3", .temperature = 1.3F},
            {.name = "system_prompt", .title = "altered system prompt", .alteration = Alteration::system_prompt},
            {.name = "injection", .title = "injected continuation", .alteration = Alteration::injection},
        });
    return arms;
}

scoring::SamplingProfile as_drawn(const Arm& arm, const scoring::SamplingProfile& asked, std::uint32_t other_seed,
                                  const scoring::Nonce& nonce) {
    scoring::SamplingProfile drawn = asked;
    drawn.temperature = asked.temperature * arm.temperature;
    drawn.seed = arm.ignores_seed ? other_seed & 0x7fffffff : scoring::seed_of(asked, nonce);
    return drawn;
}

}  // namespace planetserve::eval
