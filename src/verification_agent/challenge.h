// A question that a verification node puts to a model node, such as a user might put it
// (docs/protocols/verification.md).
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "scoring/sampling.h"
#include "verification/challenge_plan.h"
#include "verification_agent/prompt_pool.h"

namespace planetserve::verification_agent {

// What the question follows from; only the leader of an epoch knows it beforehand.
using ChallengeSeed = verification::PromptSeed;

struct Challenge {
    std::string body;                  // of a POST /v1/chat/completions
    std::string messages;              // its messages, for the engine's template
    scoring::SamplingProfile profile;  // what a managed engine draws by when asked that
    bool streamed = false;
};

// The same on every machine. A conversation of the pool or, where that is empty, a question of an everyday kind about
// an everyday thing; in the forms that users' clients send: many say nothing of how to draw, half of them stream, some
// set no limit (then an everyday question asks to be brief). With a limit there is room for 64 to 192 tokens: two or
// three make enough to judge by.
Challenge make_challenge(const ChallengeSeed& seed, const std::string& model, const PromptPool& pool);

// In which a whole answer is expected of any model node; nothing where the question sets no limit, since then nobody
// knows how long the answer is.
std::optional<Duration> time_to_answer(const Challenge& challenge);

}  // namespace planetserve::verification_agent
