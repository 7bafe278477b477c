#include "adapters/scorer/llama_scorer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "adapters/scorer/candidates.h"
#include "adapters/scorer/engine_library.h"

namespace planetserve::adapters {

using scoring::Position;
using scoring::TokenId;

namespace {

constexpr std::size_t logits_limit = 64 << 20;  // bytes

// The engine reports by log lines; the last complaint says why something failed.
thread_local std::string last_complaint;

void listen(ggml_log_level level, const char* text, void*) {
    if (level != GGML_LOG_LEVEL_ERROR) return;
    last_complaint = text;
    while (!last_complaint.empty() && last_complaint.back() == '\n') last_complaint.pop_back();
}

std::string why() { return last_complaint.empty() ? "no reason given" : last_complaint; }

void start_backend(const EngineLibrary& library) {
    static std::once_flag once;
    std::call_once(once, [&library] {
        library.llama_log_set(listen, nullptr);
        // ggml loads the kernels that fit this processor best.
        if (!library.kernels.empty()) library.ggml_backend_load_all_from_path(library.kernels.c_str());
        library.llama_backend_init();
    });
}

// Tokens of one prompt that an engine computes at once: its default micro-batch.
constexpr std::uint32_t engine_block = 512;

// One batch of tokens of several sequences.
class Batch {
public:
    Batch(const EngineLibrary& library, std::uint32_t size)
        : library_(library), batch_(library.llama_batch_init(static_cast<std::int32_t>(size), 0, 1)) {}
    ~Batch() { library_.llama_batch_free(batch_); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    void clear() { batch_.n_tokens = 0; }
    std::int32_t add(TokenId token, std::size_t place, std::uint32_t sequence, bool output) {
        std::int32_t i = batch_.n_tokens++;
        batch_.token[i] = static_cast<llama_token>(number(token));
        batch_.pos[i] = static_cast<llama_pos>(place);
        batch_.n_seq_id[i] = 1;
        batch_.seq_id[i][0] = static_cast<llama_seq_id>(sequence);
        batch_.logits[i] = output ? 1 : 0;
        return i;
    }
    std::uint32_t size() const { return static_cast<std::uint32_t>(batch_.n_tokens); }
    llama_batch get() const { return batch_; }

private:
    const EngineLibrary& library_;
    llama_batch batch_;
};

// A sequence being fed.
struct Feed {
    const PromptAndAnswer* text = nullptr;
    std::vector<Position>* into = nullptr;
    std::size_t fed = 0;

    // The last token of an answer is not fed: it is only compared.
    std::size_t size() const { return text->prompt.size() + text->answer.size() - 1; }
    bool done() const { return text->answer.empty() || fed == size(); }
    TokenId token() const {
        return fed < text->prompt.size() ? text->prompt[fed] : text->answer[fed - text->prompt.size()];
    }
    bool asked() const { return fed + 1 >= text->prompt.size(); }
};

}  // namespace

struct LlamaScorer::Engine {
    explicit Engine(const EngineLibrary& with)
        : library(with), model(nullptr, with.llama_model_free), context(nullptr, with.llama_free) {}

    const EngineLibrary& library;
    std::unique_ptr<llama_model, decltype(&::llama_model_free)> model;
    std::unique_ptr<llama_context, decltype(&::llama_free)> context;
    const llama_vocab* vocabulary = nullptr;
    std::uint32_t tokens = 0;  // of the vocabulary
    std::uint32_t sequences = 0;
    std::uint32_t asked_at_once = 0;   // positions in a batch
    std::vector<std::size_t> lengths;  // of sequences that extend() continues
    std::vector<TokenId> suppressed;   // tokens that the engine never draws
    std::stop_token stop;

    llama_memory_t memory() const { return library.llama_get_memory(context.get()); }

    std::span<const float> logits(std::int32_t row) const {
        float* values = library.llama_get_logits_ith(context.get(), row);
        for (TokenId token : suppressed) values[number(token)] = -std::numeric_limits<float>::infinity();
        return {values, tokens};
    }

    Status decode(const Batch& batch) {
        last_complaint.clear();
        switch (library.llama_decode(context.get(), batch.get())) {
            case 0:
                return {};
            case 1:
                return fail(ErrorCode::exhausted, "the context has no room for these answers");
            case 2:
                return fail(ErrorCode::cancelled, "scoring was stopped");
            default:
                return fail(ErrorCode::internal, "the engine cannot decode: " + why());
        }
    }

    Status check(const PromptAndAnswer& text) const {
        if (text.prompt.empty()) return fail(ErrorCode::invalid_argument, "a prompt has at least one token");
        std::size_t size = text.prompt.size() + text.answer.size();
        std::size_t limit = library.llama_n_ctx_seq(context.get());
        if (size > limit)
            return fail(ErrorCode::invalid_argument, "prompt and answer have " + std::to_string(size) +
                                                         " tokens, more than the context of " + std::to_string(limit));
        auto known = [this](TokenId token) { return number(token) < tokens; };
        if (!std::ranges::all_of(text.prompt, known) || !std::ranges::all_of(text.answer, known))
            return fail(ErrorCode::invalid_argument, "a token is outside the vocabulary of " + std::to_string(tokens));
        return {};
    }

    Position position(std::int32_t row, TokenId emitted, std::uint32_t top_k) const {
        auto values = logits(row);
        Position position{.emitted = emitted,
                          .candidates = likeliest(values, top_k),
                          .log_probability = log_softmax(values, number(emitted)),
                          .ends_text = ends_text(emitted)};
        if (!position.ends_text) return position;
        for (const scoring::Candidate& candidate : position.candidates)
            if (candidate.token != emitted && ends_text(candidate.token))
                position.other_ends.push_back(candidate.token);
        return position;
    }
    bool ends_text(TokenId token) const {
        return library.llama_vocab_is_eog(vocabulary, static_cast<llama_token>(number(token)));
    }

    // A batch that is put together, and the positions whose logits are wanted.
    struct Round {
        struct Asked {
            std::int32_t row;
            Feed* of;
            TokenId emitted;
        };
        Batch batch;
        std::vector<Asked> asked = {};

        void take(Feed& feed, std::size_t sequence) {
            bool ask = feed.asked();
            std::int32_t row = batch.add(feed.token(), feed.fed, static_cast<std::uint32_t>(sequence), ask);
            ++feed.fed;
            if (ask) asked.push_back({row, &feed, feed.text->answer[feed.fed - feed.text->prompt.size()]});
        }
    };

    Status decode(Round& round, std::uint32_t top_k) {
        if (Status decoded = decode(round.batch); !decoded) return decoded;
        for (const auto& one : round.asked) one.of->into->push_back(position(one.row, one.emitted, top_k));
        round.batch.clear();
        round.asked.clear();
        return {};
    }

    // Feeds prompts one by one. A kernel's sums depend on whether it sees one token of a sequence or more, and side by
    // side the last token of the longest prompt would be alone.
    Status run_prompts(std::vector<Feed>& feeds, std::uint32_t top_k) {
        Round round{Batch(library, engine_block)};
        for (std::size_t i = 0; i < feeds.size(); ++i) {
            while (!feeds[i].done() && feeds[i].fed < feeds[i].text->prompt.size()) {
                round.take(feeds[i], i);
                const bool last = feeds[i].fed == feeds[i].text->prompt.size();
                if (!last && round.batch.size() < engine_block) continue;
                if (Status decoded = decode(round, top_k); !decoded) return decoded;
            }
        }
        return {};
    }

    // Feeds all side by side: each has an equal part of every batch, at most `most` tokens.
    Status run(std::vector<Feed>& feeds, std::uint32_t most, std::uint32_t top_k) {
        Round round{Batch(library, asked_at_once)};
        while (true) {
            auto active =
                static_cast<std::uint32_t>(std::ranges::count_if(feeds, [](const Feed& feed) { return !feed.done(); }));
            if (active == 0) return {};
            const std::uint32_t share = std::clamp(asked_at_once / active, 1U, most);
            for (std::size_t i = 0; i < feeds.size(); ++i)
                for (std::uint32_t part = 0; part < share && !feeds[i].done(); ++part) round.take(feeds[i], i);
            if (Status decoded = decode(round, top_k); !decoded) return decoded;
        }
    }

    Status run(std::vector<Feed>& feeds, Feeding feeding, std::uint32_t top_k) {
        if (feeding == Feeding::blocks) return run(feeds, engine_block, top_k);
        if (Status prompts = run_prompts(feeds, top_k); !prompts) return prompts;
        return run(feeds, 1, top_k);
    }
};

LlamaScorer::LlamaScorer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
LlamaScorer::~LlamaScorer() = default;

Result<std::unique_ptr<LlamaScorer>> LlamaScorer::load(const LlamaScorerOptions& options) {
    if (options.context == 0 || options.sequences == 0 || options.threads == 0)
        return fail(ErrorCode::invalid_argument, "context, sequences and threads are at least 1");
    std::error_code error;
    if (!std::filesystem::is_regular_file(options.model_file, error))
        return fail(ErrorCode::not_found, "there is no model " + options.model_file.string());
    auto loaded = engine_library();
    if (!loaded) return std::unexpected(loaded.error());
    const EngineLibrary& library = **loaded;
    start_backend(library);
    last_complaint.clear();
    auto engine = std::make_unique<Engine>(library);
    llama_model_params model = library.llama_model_default_params();
    // On the processor, whatever else the engine could use: the devices to offload to are none.
    ggml_backend_dev_t no_devices[] = {nullptr};
    model.devices = no_devices;
    model.n_gpu_layers = 0;
    engine->model.reset(library.llama_model_load_from_file(options.model_file.c_str(), model));
    if (!engine->model) return fail(ErrorCode::invalid_argument, options.model_file.string() + ": " + why());
    engine->vocabulary = library.llama_model_get_vocab(engine->model.get());
    engine->tokens = static_cast<std::uint32_t>(library.llama_vocab_n_tokens(engine->vocabulary));
    if (engine->tokens == 0)
        return fail(ErrorCode::invalid_argument, options.model_file.string() + ": a model without a vocabulary");
    std::int32_t suppressed = 0;
    const llama_token* tokens = library.llama_vocab_get_suppress_tokens(engine->vocabulary, &suppressed);
    for (std::int32_t i = 0; i < suppressed; ++i)
        engine->suppressed.push_back(TokenId(static_cast<std::uint32_t>(tokens[i])));

    const std::size_t rows = std::max<std::size_t>(1, logits_limit / (sizeof(float) * engine->tokens));
    const std::size_t wanted = std::size_t{engine_block} * options.sequences;
    engine->sequences = options.sequences;
    engine->asked_at_once =
        static_cast<std::uint32_t>(std::max<std::size_t>(options.sequences, std::min(rows, wanted)));
    llama_context_params context = library.llama_context_default_params();
    context.n_ctx = options.context * options.sequences;
    context.n_seq_max = options.sequences;
    context.n_batch = context.n_ubatch = std::max(engine->asked_at_once, engine_block);
    context.n_threads = static_cast<std::int32_t>(options.threads);
    context.n_threads_batch = context.n_threads;
    context.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    context.kv_unified = false;
    context.no_perf = true;
    context.abort_callback = [](void* data) { return static_cast<Engine*>(data)->stop.stop_requested(); };
    context.abort_callback_data = engine.get();
    engine->context.reset(library.llama_init_from_model(engine->model.get(), context));
    if (!engine->context)
        return fail(ErrorCode::exhausted, "no context for " + options.model_file.string() + ": " + why());
    engine->lengths.assign(options.sequences, 0);
    return std::unique_ptr<LlamaScorer>(new LlamaScorer(std::move(engine)));
}

Result<std::vector<std::vector<Position>>> LlamaScorer::score(std::span<const PromptAndAnswer> answers,
                                                              std::uint32_t top_k, Feeding feeding,
                                                              std::stop_token stop) {
    for (const PromptAndAnswer& text : answers)
        if (Status fits = engine_->check(text); !fits) return std::unexpected(fits.error());
    engine_->stop = std::move(stop);
    std::vector<std::vector<Position>> scored(answers.size());
    for (std::size_t begin = 0; begin < answers.size(); begin += engine_->sequences) {
        engine_->library.llama_memory_clear(engine_->memory(), false);
        std::ranges::fill(engine_->lengths, 0);
        std::vector<Feed> feeds;
        for (std::size_t i = begin; i < std::min(answers.size(), begin + engine_->sequences); ++i) {
            scored[i].reserve(answers[i].answer.size());
            feeds.push_back({&answers[i], &scored[i]});
        }
        Status run = engine_->run(feeds, feeding, top_k);
        if (!run) {
            engine_->library.llama_memory_clear(engine_->memory(), false);
            engine_->stop = {};
            return std::unexpected(run.error());
        }
    }
    engine_->library.llama_memory_clear(engine_->memory(), false);
    engine_->stop = {};
    return scored;
}

Result<std::vector<scoring::Candidate>> LlamaScorer::extend(std::uint32_t sequence, std::span<const TokenId> tokens,
                                                            std::uint32_t top_k) {
    if (sequence >= engine_->sequences || tokens.empty())
        return fail(ErrorCode::invalid_argument, "there is no such sequence, or nothing to append");
    std::size_t& length = engine_->lengths[sequence];
    if (length + tokens.size() > engine_->library.llama_n_ctx_seq(engine_->context.get()))
        return fail(ErrorCode::exhausted, "the sequence fills its context");
    if (!std::ranges::all_of(tokens, [this](TokenId token) { return number(token) < engine_->tokens; }))
        return fail(ErrorCode::invalid_argument, "a token is outside the vocabulary");
    Batch batch(engine_->library, engine_block);
    std::int32_t last = 0;
    for (std::size_t i = 0; i < tokens.size();) {
        batch.clear();
        for (; i < tokens.size() && batch.size() < engine_block; ++i)
            last = batch.add(tokens[i], length + i, sequence, i + 1 == tokens.size());
        if (Status decoded = engine_->decode(batch); !decoded) return std::unexpected(decoded.error());
    }
    length += tokens.size();
    return likeliest(engine_->logits(last), top_k);
}

void LlamaScorer::forget(std::uint32_t sequence) {
    if (sequence >= engine_->sequences) return;
    engine_->library.llama_memory_seq_rm(engine_->memory(), static_cast<llama_seq_id>(sequence), -1, -1);
    engine_->lengths[sequence] = 0;
}

bool LlamaScorer::ends_text(TokenId token) const { return engine_->ends_text(token); }

std::uint32_t LlamaScorer::vocabulary() const { return engine_->tokens; }

}  // namespace planetserve::adapters
