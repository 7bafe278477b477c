// Scores the answers of an epoch by a verification node's own copies of the models (docs/protocols/scoring.md).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/scorer/chat_tokens.h"
#include "adapters/scorer/llama_scorer.h"
#include "scoring/credit.h"
#include "verification/transaction.h"
#include "verification_agent/agent_output.h"

namespace planetserve::adapters {

// A model that the verification node has.
struct JudgedModel {
    inference::Service* engine = nullptr;  // applies its template and tokenises; outlives the judge
    LlamaScorerOptions scorer = {};
};

// Runs on the thread of the io_context, except the model's passes, which have a thread of their own. It loads a model
// when it first needs it, and keeps it.
class Judge {
public:
    using OnScores = std::function<void(std::uint64_t epoch, std::vector<verification::Score>)>;

    Judge(boost::asio::io_context& context, std::map<std::string, JudgedModel> models, scoring::Calibration calibration,
          OnScores on_scores);
    // Waits until the pass under way has stopped.
    ~Judge();

    // Tells on_scores the score of each node's answers since its last credit, all together: a credit, or inconclusive.
    // It is inconclusive when there are too few tokens (they are kept for the next time), when this node does not have
    // the model, or when its own engine fails. Drops the work under way for another epoch.
    void score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits);

    // The last finding about each node, in words, as "credit 1.00 (replay), 142 tokens".
    const std::map<NodeId, std::string>& findings() const { return findings_; }
    // Why this node's own scoring failed the last time; empty when it did not.
    const std::string& problem() const { return problem_; }

private:
    struct Job;

    void tokenize_next(const std::shared_ptr<Job>& job);
    void run_passes(const std::shared_ptr<Job>& job);
    // Marks answers to be fed by steps: those of nodes that got less than the full credit when fed in blocks, since the
    // noise of blocks may be the reason. Returns whether there are any.
    bool leaves_doubts(Job& job) const;
    void finish(const std::shared_ptr<Job>& job);

    boost::asio::io_context& context_;
    std::map<std::string, JudgedModel> models_;
    scoring::Calibration calibration_;
    OnScores on_scores_;
    std::string problem_;
    std::map<NodeId, std::string> findings_;
    std::shared_ptr<Job> job_;
    std::map<NodeId, scoring::Pool> pools_;  // of nodes with too few tokens so far
    std::unique_ptr<PromptTokens> tokens_;
    std::map<std::string, std::shared_ptr<LlamaScorer>> scorers_;
    std::jthread worker_;
};

}  // namespace planetserve::adapters
