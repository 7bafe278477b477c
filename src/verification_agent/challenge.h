// A challenge: a request that a verification node sends to a model node, in the form of a user's request
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

// The challenge follows from the seed; only the leader of an epoch knows it beforehand.
using ChallengeSeed = verification::PromptSeed;

struct Challenge {
    std::string body;                  // of a POST /v1/chat/completions
    std::string messages;              // of the body, for the engine's template
    scoring::SamplingProfile profile;  // how a managed engine draws for this body
    bool streamed = false;
};

// The same on every machine. A conversation of the pool or, if the pool is empty, an everyday question. It has one of
// the forms that users' clients send: many set no sampling parameters, half of them stream, some set no limit (then a
// made-up question asks for a brief answer). A limit is 64 to 192 tokens: two or three answers are enough to score.
Challenge make_challenge(const ChallengeSeed& seed, const std::string& model, const PromptPool& pool);

// The time that any model node has for a whole answer; nothing if the challenge sets no limit, because then the length
// of the answer is unknown.
std::optional<Duration> time_to_answer(const Challenge& challenge);

}  // namespace planetserve::verification_agent
