// A verification node's own copy of a model, on the engine's own kernels (libllama). It tells the candidates that the
// model would have drawn from at each position of an answer that another node gave.
//
// Flash attention is off, as in engines that a model node manages. Fed step by step, this reproduces bit by bit an
// answer that such an engine of the same build drew. Fed in blocks, which is several times as fast, or with another
// attention kernel, the logits differ a little (docs/protocols/scoring.md).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "scoring/token_score.h"

namespace planetserve::adapters {

struct LlamaScorerOptions {
    std::filesystem::path model_file;  // GGUF
    std::uint32_t context = 2048;      // tokens that a prompt and its answer may have together
    std::uint32_t sequences = 4;       // answers fed at once, each with a context of its own
    std::uint32_t threads = 1;
};

enum class Feeding : std::uint8_t {
    blocks,  // as many tokens of an answer at once as fit
    steps,   // prompts in blocks, answers token by token, as an engine that generates does
};

struct PromptAndAnswer {
    std::vector<scoring::TokenId> prompt = {};
    std::vector<scoring::TokenId> answer = {};
};

// One call at a time, from any thread. Memory: the weights, mapped; the context's keys and values, sequences x context;
// and the logits of one batch, at most 64 MiB unless one token's take more.
class LlamaScorer {
public:
    // not_found or invalid_argument with the engine's own words when the model cannot be used; exhausted when there is
    // no memory for the context. not_found or internal when there is no engine to load (engine_library.h).
    static Result<std::unique_ptr<LlamaScorer>> load(const LlamaScorerOptions& options);
    ~LlamaScorer();
    LlamaScorer(const LlamaScorer&) = delete;
    LlamaScorer& operator=(const LlamaScorer&) = delete;

    // The positions of each answer in order, with the top_k likeliest candidates at each. It feeds as many answers
    // together as there are sequences. invalid_argument: an empty prompt, a token outside the vocabulary, or more
    // tokens than the context has. cancelled: it was asked to stop.
    Result<std::vector<std::vector<scoring::Position>>> score(std::span<const PromptAndAnswer> answers,
                                                              std::uint32_t top_k, Feeding feeding,
                                                              std::stop_token stop = {});

    // Continues a sequence token by token, as an engine that generates does: appends the tokens and returns the
    // candidates for the next one. score() forgets all sequences.
    Result<std::vector<scoring::Candidate>> extend(std::uint32_t sequence, std::span<const scoring::TokenId> tokens,
                                                   std::uint32_t top_k);
    void forget(std::uint32_t sequence);

    bool ends_text(scoring::TokenId token) const;
    std::uint32_t vocabulary() const;  // tokens are below this

private:
    struct Engine;
    explicit LlamaScorer(std::unique_ptr<Engine> engine);

    std::unique_ptr<Engine> engine_;
};

}  // namespace planetserve::adapters
