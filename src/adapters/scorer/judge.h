// Scores the answers of an epoch by a verifier's own copies of the models (docs/protocols/scoring.md).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/scorer/llama_scorer.h"
#include "adapters/scorer/prompt_tokens.h"
#include "scoring/credit.h"
#include "verification/transaction.h"
#include "verification_agent/agent_output.h"

namespace planetserve::adapters {

// A model that the verifier has.
struct JudgedModel {
    inference::Service* engine = nullptr;  // applies its template and tokenises; outlives the judge
    LlamaScorerOptions scorer = {};
};

// Runs on the thread of the io_context, but for the model's passes, which have a thread of their own. A model is loaded
// when it is first needed and stays.
class Judge {
public:
    using OnScores = std::function<void(std::uint64_t epoch, std::vector<verification::Score>)>;

    Judge(boost::asio::io_context& context, std::map<std::string, JudgedModel> models, scoring::Calibration calibration,
          OnScores on_scores);
    // Waits for the pass under way to notice.
    ~Judge();

    // Tells on_scores what each node's answers since its last credit are worth together: a credit, or inconclusive
    // where there are too few tokens, which are kept for the next time, the verifier does not have the model, or its
    // own engine fails. Work under way for another epoch is dropped.
    void score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits);

    // What was last found of a node, in words, as "credit 1.00 (replay), 142 tokens".
    const std::map<NodeId, std::string>& findings() const { return findings_; }
    // What was wrong with this verifier's own scoring; empty while all is well.
    const std::string& problem() const { return problem_; }

private:
    struct Job;

    void tokenize_next(const std::shared_ptr<Job>& job);
    void run_passes(const std::shared_ptr<Job>& job);
    // Whether a node has less than the full credit by what was fed in blocks, whose noise may be why: its answers are
    // marked to be fed by steps.
    bool leaves_doubts(Job& job) const;
    void finish(const std::shared_ptr<Job>& job);

    boost::asio::io_context& context_;
    std::map<std::string, JudgedModel> models_;
    scoring::Calibration calibration_;
    OnScores on_scores_;
    std::string problem_;
    std::map<NodeId, std::string> findings_;
    std::shared_ptr<Job> job_;
    std::map<NodeId, scoring::Pool> pools_;  // of nodes without tokens enough so far
    std::unique_ptr<PromptTokens> tokens_;
    std::map<std::string, std::shared_ptr<LlamaScorer>> scorers_;
    std::jthread worker_;
};

}  // namespace planetserve::adapters
