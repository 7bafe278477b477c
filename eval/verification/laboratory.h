// Real engines, honest and not, and the verifier's own copy of the claimed model, on this machine.
#pragma once

#include <CLI/App.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/scorer/llama_scorer.h"
#include "eval/kit/live/local_server.h"
#include "eval/verification/arms.h"
#include "signing/engine_tokens.h"

namespace planetserve::eval {

struct Challenge {
    Messages messages = {};
    scoring::Nonce nonce = {};
    std::vector<scoring::TokenId> prompt = {};  // under the model's own template
};

struct GivenAnswer {
    std::vector<scoring::TokenId> tokens = {};
    scoring::FinishReason finish = scoring::FinishReason::max_tokens;
};

struct LaboratoryOptions {
    std::filesystem::path engine;  // folder with bin/llama-server and bin/llama-quantize
    std::filesystem::path model;   // the claimed model, GGUF
    std::filesystem::path work;    // for logs and for the models that are made of it
    std::string pruned_layers = "10,15,20";
    unsigned threads = 1;
    unsigned slots = 8;      // answers at once, from an engine and in the scorer
    unsigned context = 512;  // tokens of a prompt and its answer

    void add_options(CLI::App& app);
    // Fills in what was not given, from PLANETSERVE_ENGINE and PLANETSERVE_MODELS. not_found with what to do.
    Status resolve(const std::filesystem::path& folder);
};

// One engine runs at a time. Everything happens on the thread that runs the context, but score(), which may be called
// on one other meanwhile.
class Laboratory {
public:
    static Result<std::unique_ptr<Laboratory>> open(boost::asio::io_context& context, LaboratoryOptions options);
    ~Laboratory();  // removes the models it made
    Laboratory(const Laboratory&) = delete;
    Laboratory& operator=(const Laboratory&) = delete;

    // Fills in the prompts' tokens, by the claimed model's engine.
    Status tokenize(std::vector<Challenge>& challenges);
    // The arm's answers; `seed` is that of nodes that choose their own.
    Result<std::vector<GivenAnswer>> ask(const Arm& arm, std::span<const Challenge> challenges,
                                         const scoring::SamplingProfile& profile, std::uint64_t seed);
    // Answers of which each token comes from the claimed model or, with this probability, from the arm's, drawn as the
    // nonce says: in this process, since no engine does that.
    Result<std::vector<GivenAnswer>> mix(const Arm& arm, double share, std::span<const Challenge> challenges,
                                         const scoring::SamplingProfile& profile, std::uint64_t seed);
    Result<std::vector<scoring::AnswerScore>> score(std::span<const Challenge> challenges,
                                                    std::span<const GivenAnswer> answers,
                                                    const scoring::SamplingProfile& profile, std::string_view label);
    scoring::TokenId end_of_text() const;
    double scoring_seconds() const { return scoring_seconds_; }
    std::size_t scored_tokens() const { return scored_tokens_; }

private:
    Laboratory(boost::asio::io_context& context, LaboratoryOptions options)
        : context_(context), options_(std::move(options)) {}
    Result<std::filesystem::path> model_file(const std::string& model);
    Result<std::string> engine_for(const Arm& arm);  // base URL
    Status run(const std::vector<std::string>& argv);

    boost::asio::io_context& context_;
    const LaboratoryOptions options_;
    std::unique_ptr<adapters::LlamaScorer> scorer_;
    std::unique_ptr<LocalServer> server_;
    std::string serves_;  // which model and kernels
    std::vector<std::filesystem::path> made_;
    std::optional<scoring::TokenId> end_of_text_;
    double scoring_seconds_ = 0;
    std::size_t scored_tokens_ = 0;
};

}  // namespace planetserve::eval
