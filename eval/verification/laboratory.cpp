#include "eval/verification/laboratory.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>

#include "adapters/llama/llama_server.h"
#include "base/random.h"
#include "eval/kit/progress.h"
#include "eval/verification/engine_calls.h"

namespace planetserve::eval {

namespace {

constexpr Duration call_deadline = 30min;
constexpr std::size_t mixing_context = 1024;

std::filesystem::path from_environment(const char* variable) {
    const char* value = std::getenv(variable);
    return value ? value : "";
}

adapters::LlamaScorerOptions scorer_options(const LaboratoryOptions& options, std::filesystem::path model) {
    return {.model_file = std::move(model),
            .context = options.context,
            .sequences = options.slots,
            .threads = options.threads};
}

}  // namespace

void LaboratoryOptions::add_options(CLI::App& app) {
    app.add_option("--engine", engine, "folder of the engine (default: $PLANETSERVE_ENGINE)");
    app.add_option("--model-file", model,
                   "the claimed model, GGUF (default: SmolLM2-135M-Instruct.Q4_1.gguf in $PLANETSERVE_MODELS)");
    app.add_option("--pruned-layers", pruned_layers, "which the smaller model lacks (default 10,15,20)");
    app.add_option("--threads", threads, "of the engine and of the scorer (default 1)")->check(CLI::Range(1, 256));
    app.add_option("--slots", slots, "answers at once (default 8)")->check(CLI::Range(1, 64));
}

Status LaboratoryOptions::resolve(const std::filesystem::path& folder) {
    if (engine.empty()) engine = from_environment("PLANETSERVE_ENGINE");
    if (model.empty() && !from_environment("PLANETSERVE_MODELS").empty())
        model = from_environment("PLANETSERVE_MODELS") / "SmolLM2-135M-Instruct.Q4_1.gguf";
    work = folder;
    std::error_code error;
    for (const auto& path : {engine / "bin/llama-server", engine / "bin/llama-quantize", model})
        if (!std::filesystem::is_regular_file(path, error))
            return fail(
                ErrorCode::not_found,
                "there is no " + path.string() + "; run this by ./planetserve eval, or give --engine and --model-file");
    return {};
}

Result<std::unique_ptr<Laboratory>> Laboratory::open(boost::asio::io_context& context, LaboratoryOptions options) {
    std::unique_ptr<Laboratory> laboratory(new Laboratory(context, std::move(options)));
    auto scorer = adapters::LlamaScorer::load(scorer_options(laboratory->options_, laboratory->options_.model));
    if (!scorer) return std::unexpected(scorer.error());
    laboratory->scorer_ = std::move(*scorer);
    return laboratory;
}

Laboratory::~Laboratory() {
    server_.reset();
    std::error_code ignored;
    for (const auto& file : made_) std::filesystem::remove(file, ignored);
}

Status Laboratory::run(const std::vector<std::string>& argv) {
    std::string ended;
    auto process = adapters::ChildProcess::start(context_, argv, options_.work / "quantize.log",
                                                 [&ended](adapters::ProcessEnd end) { ended = std::move(end.words); });
    if (!process) return std::unexpected(process.error());
    SystemClock clock;
    for (Time end = clock.now() + 10min; ended.empty();) {
        if (clock.now() > end) return fail(ErrorCode::timed_out, argv.front() + " takes too long");
        if (context_.stopped()) context_.restart();
        context_.run_one_for(std::chrono::milliseconds(100));
    }
    if (ended == "exited with status 0") return {};
    return fail(ErrorCode::unavailable,
                argv.front() + " " + ended + "; see " + (options_.work / "quantize.log").string());
}

Result<std::filesystem::path> Laboratory::model_file(const std::string& model) {
    if (model.empty()) return options_.model;
    if (model.find('/') != std::string::npos) return std::filesystem::path(model);
    // One that ./planetserve models made has the type where the claimed one has its own.
    std::string stem = options_.model.stem().string();
    auto known = options_.model.parent_path() / (stem.substr(0, stem.rfind('.')) + "." + model + ".gguf");
    std::error_code error;
    if (std::filesystem::is_regular_file(known, error)) return known;
    auto file = options_.work / (model + ".gguf");
    if (std::filesystem::is_regular_file(file, error)) return file;
    std::vector<std::string> argv{(options_.engine / "bin/llama-quantize").string(), "--allow-requantize"};
    std::string type = model;
    if (model == "pruned") {
        argv.insert(argv.end(), {"--prune-layers", options_.pruned_layers});
        type = "Q4_1";
    }
    argv.insert(argv.end(), {options_.model.string(), file.string(), type});
    made_.push_back(file);
    if (Status done = run(argv); !done) return std::unexpected(done.error());
    return file;
}

Result<std::string> Laboratory::engine_for(const Arm& arm) {
    std::string wanted = arm.model + " " + std::to_string(arm.flash_attention);
    if (server_ && serves_ == wanted) return server_->base_url();
    server_.reset();
    auto file = model_file(arm.model);
    if (!file) return std::unexpected(file.error());
    auto port = free_port();
    if (!port) return std::unexpected(port.error());
    LocalServerOptions options;
    options.name = "the engine of " + (arm.model.empty() ? "the claimed model" : arm.model);
    options.base_url = "http://127.0.0.1:" + std::to_string(*port);
    options.log = options_.work / "engine.log";
    options.argv = adapters::llama_server_command({.program = options_.engine / "bin/llama-server",
                                                   .model_file = *file,
                                                   .host = "127.0.0.1",
                                                   .port = *port,
                                                   .slots = options_.slots,
                                                   .context = options_.context,
                                                   .threads = options_.threads,
                                                   .cache_mib = 0,
                                                   .flash_attention = arm.flash_attention});
    auto started = LocalServer::start(context_, std::move(options));
    if (!started) return std::unexpected(started.error());
    server_ = std::move(*started);
    serves_ = wanted;
    return server_->base_url();
}

Status Laboratory::tokenize(std::vector<Challenge>& challenges) {
    auto base = engine_for(Arm{});
    if (!base) return std::unexpected(base.error());
    EngineCalls calls(context_, *base);
    std::vector<std::string> bodies;
    for (const Challenge& challenge : challenges) bodies.push_back(signing::apply_template_request(challenge.messages));
    auto applied = calls.post("/apply-template", bodies, options_.slots, call_deadline);
    if (!applied) return std::unexpected(applied.error());
    bodies.clear();
    for (const std::string& reply : *applied) {
        auto text = signing::read_applied_template(reply);
        if (!text) return std::unexpected(text.error());
        bodies.push_back(signing::tokenize_request(*text));
    }
    auto tokenized = calls.post("/tokenize", bodies, options_.slots, call_deadline);
    if (!tokenized) return std::unexpected(tokenized.error());
    for (std::size_t i = 0; i < challenges.size(); ++i) {
        auto tokens = signing::read_tokens((*tokenized)[i]);
        if (!tokens) return std::unexpected(tokens.error());
        challenges[i].prompt = std::move(*tokens);
    }
    return {};
}

Result<std::vector<GivenAnswer>> Laboratory::ask(const Arm& arm, std::span<const Challenge> challenges,
                                                 const scoring::SamplingProfile& profile, std::uint64_t seed) {
    auto base = engine_for(arm);
    if (!base) return std::unexpected(base.error());
    SeededRandom random(seed);
    std::vector<std::string> bodies;
    for (const Challenge& challenge : challenges) {
        auto other_seed = static_cast<std::uint32_t>(random.next());
        boost::json::object request{{"messages", altered(challenge.messages, arm.alteration)}};
        signing::bind_sampling(request, as_drawn(arm, profile, other_seed, challenge.nonce), challenge.nonce);
        signing::ask_for_tokens(request);
        bodies.push_back(boost::json::serialize(request));
    }
    EngineCalls calls(context_, *base);
    Progress progress(arm.name + ": answers", challenges.size());
    auto replies =
        calls.post("/v1/chat/completions", bodies, options_.slots, call_deadline, [&progress] { progress.advance(); });
    if (!replies) return std::unexpected(replies.error());
    std::vector<GivenAnswer> answers;
    for (std::size_t i = 0; i < replies->size(); ++i) {
        auto answer = signing::read_engine_answer((*replies)[i]);
        if (!answer) return std::unexpected(answer.error());
        if (arm.alteration == Alteration::none && answer->prompt_tokens != challenges[i].prompt.size())
            return fail(ErrorCode::internal, "the engine's prompt has " + std::to_string(answer->prompt_tokens) +
                                                 " tokens, the verifier's " +
                                                 std::to_string(challenges[i].prompt.size()));
        if (answer->finish == scoring::FinishReason::end_of_text) end_of_text_ = answer->tokens.back();
        answers.push_back({std::move(answer->tokens), answer->finish});
    }
    return answers;
}

Result<std::vector<GivenAnswer>> Laboratory::mix(const Arm& arm, double share, std::span<const Challenge> challenges,
                                                 const scoring::SamplingProfile& profile, std::uint64_t seed) {
    server_.reset();
    auto file = model_file(arm.model);
    if (!file) return std::unexpected(file.error());
    auto options = scorer_options(options_, *file);
    options.context = mixing_context;
    options.sequences = 1;
    auto other = adapters::LlamaScorer::load(options);
    if (!other) return std::unexpected(other.error());
    options.model_file = options_.model;
    auto claimed = adapters::LlamaScorer::load(options);
    if (!claimed) return std::unexpected(claimed.error());
    SeededRandom random(seed);
    Progress progress(arm.name + ": mixed answers", challenges.size());
    std::vector<GivenAnswer> answers;
    for (const Challenge& challenge : challenges) {
        scoring::SamplingDraws draws(scoring::seed_of(profile, challenge.nonce));
        GivenAnswer answer;
        std::span<const scoring::TokenId> fed = challenge.prompt;
        while (answer.tokens.size() < profile.max_tokens) {
            auto mine = (*claimed)->extend(0, fed, profile.top_k);
            auto theirs = (*other)->extend(0, fed, profile.top_k);
            if (!mine) return std::unexpected(mine.error());
            if (!theirs) return std::unexpected(theirs.error());
            const auto& chosen = random.unit() < share ? *theirs : *mine;
            answer.tokens.push_back(scoring::draw_token(chosen, profile, draws.next()));
            fed = std::span(answer.tokens).last(1);
            if (!scorer_->ends_text(answer.tokens.back())) continue;
            answer.finish = scoring::FinishReason::end_of_text;
            break;
        }
        (*claimed)->forget(0);
        (*other)->forget(0);
        answers.push_back(std::move(answer));
        progress.advance();
    }
    return answers;
}

Result<std::vector<scoring::AnswerScore>> Laboratory::score(std::span<const Challenge> challenges,
                                                            std::span<const GivenAnswer> answers,
                                                            const scoring::SamplingProfile& profile,
                                                            std::string_view label) {
    using Clock = std::chrono::steady_clock;
    Progress progress(std::string(label) + ": scores", answers.size());
    std::vector<scoring::AnswerScore> scores;
    for (std::size_t begin = 0; begin < answers.size(); begin += options_.slots) {
        std::vector<adapters::PromptAndAnswer> texts;
        for (std::size_t i = begin; i < std::min<std::size_t>(answers.size(), begin + options_.slots); ++i)
            texts.push_back({challenges[i].prompt, answers[i].tokens});
        auto start = Clock::now();
        auto positions = scorer_->score(texts, profile.top_k, adapters::Feeding::steps);
        if (!positions) return std::unexpected(positions.error());
        scoring_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
        for (std::size_t i = 0; i < texts.size(); ++i) {
            scored_tokens_ += texts[i].answer.size();
            scores.push_back(scoring::score_answer({.positions = (*positions)[i], .finish = answers[begin + i].finish},
                                                   profile, challenges[begin + i].nonce));
            progress.advance();
        }
    }
    return scores;
}

scoring::TokenId Laboratory::end_of_text() const {
    if (end_of_text_) return *end_of_text_;
    for (std::uint32_t token = 0; token < scorer_->vocabulary(); ++token)
        if (scorer_->ends_text(scoring::TokenId(token))) return scoring::TokenId(token);
    return {};
}

}  // namespace planetserve::eval
