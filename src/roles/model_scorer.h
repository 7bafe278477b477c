// Scores answers on this node's own copies of models. A program built without the engine's libraries has none
// (model_scorer_left_out.cpp).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/served_model.h"
#include "roles/runtime.h"
#include "verification_agent/agent.h"

namespace planetserve::roles {

class ModelScorer {
public:
    using OnScores = std::function<void(std::uint64_t epoch, std::vector<verification::Score>)>;

    virtual ~ModelScorer() = default;
    // Answers through OnScores, later and on the runtime's thread. Work under way for another epoch is dropped.
    virtual void score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits) = 0;
    // What is wrong with the node's own scoring; empty while all is well.
    virtual std::string problem() const = 0;
    // What was last found of each model node, in words.
    virtual std::map<NodeId, std::string> findings() const = 0;
};

// Prepares a copy of each model. not_found: a model or the engine is missing, or this program cannot score. The runtime
// outlives the scorer.
Result<std::unique_ptr<ModelScorer>> make_model_scorer(Runtime& runtime,
                                                       const std::vector<config::ServedModelConfig>& models,
                                                       ModelScorer::OnScores on_scores);

}  // namespace planetserve::roles
