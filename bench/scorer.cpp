// What it costs a verifier to score an answer: in blocks, the pass that comes first, and step by step, that of answers
// which do not replay in it; beside asking a llama-server of the same build for the probabilities of one token after
// the other, its prompt cache on. One thread each. Needs what ./planetserve bench exports: PLANETSERVE_ENGINE,
// PLANETSERVE_MODELS.
#include <cstdlib>
#include <map>

#include "adapters/llama/llama_server.h"
#include "adapters/scorer/llama_scorer.h"
#include "bench/report.h"
#include "eval/kit/live/local_server.h"
#include "eval/verification/engine_calls.h"
#include "signing/engine_tokens.h"

using namespace planetserve;

namespace {

namespace json = boost::json;
using adapters::LlamaScorer;
using adapters::PromptAndAnswer;
using Steady = std::chrono::steady_clock;

constexpr std::size_t prompt_size = 64;
constexpr std::size_t answer_size = 128;
constexpr std::size_t candidates = 40;
constexpr std::size_t rounds = 5;
constexpr std::uint32_t most_answers = 8;

template <typename T>
T must(Result<T> result) {
    if (result) return std::move(*result);
    std::cerr << "bench_scorer: " << result.error().message << '\n';
    std::exit(1);
}

std::filesystem::path from_environment(const char* variable) {
    if (const char* value = std::getenv(variable)) return value;
    std::cerr << "bench_scorer: " << variable << " is not set; run ./planetserve bench scorer\n";
    std::exit(1);
}

double milliseconds_since(Steady::time_point start) {
    return std::chrono::duration<double, std::milli>(Steady::now() - start).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

json::array ids(std::span<const scoring::TokenId> tokens) {
    json::array list;
    for (auto token : tokens) list.push_back(number(token));
    return list;
}

class Server {
public:
    Server(const std::filesystem::path& engine, const std::filesystem::path& model)
        : process_(start(context_, engine, model)), calls_(context_, process_->base_url()) {}

    std::vector<scoring::TokenId> tokens_of(std::string_view text) {
        return must(signing::read_tokens(post("/tokenize", signing::tokenize_request(text))));
    }
    std::vector<scoring::TokenId> answer(std::span<const scoring::TokenId> prompt, std::uint32_t seed) {
        json::object request{{"prompt", ids(prompt)}, {"n_predict", answer_size},
                             {"ignore_eos", true},    {"return_tokens", true},
                             {"seed", seed},          {"temperature", 0.8}};
        return must(signing::read_tokens(post("/completion", json::serialize(request))));
    }
    // The probabilities at each position, one request a token.
    void score(const PromptAndAnswer& text) {
        std::vector<scoring::TokenId> known = text.prompt;
        for (auto token : text.answer) {
            json::object request{{"prompt", ids(known)}, {"n_predict", 1},     {"n_probs", candidates},
                                 {"cache_prompt", true}, {"temperature", 0.8}, {"top_k", candidates}};
            bench::keep(post("/completion", json::serialize(request)));
            known.push_back(token);
        }
    }

private:
    static std::unique_ptr<eval::LocalServer> start(boost::asio::io_context& context,
                                                    const std::filesystem::path& engine,
                                                    const std::filesystem::path& model) {
        std::uint16_t port = must(eval::free_port());
        eval::LocalServerOptions options;
        options.name = "llama-server";
        options.base_url = "http://127.0.0.1:" + std::to_string(port);
        options.log = "/dev/null";
        options.argv = adapters::llama_server_command({.program = engine / "bin/llama-server",
                                                       .model_file = model,
                                                       .host = "127.0.0.1",
                                                       .port = port,
                                                       .slots = 1,
                                                       .context = 1024,
                                                       .threads = 1});
        return must(eval::LocalServer::start(context, std::move(options)));
    }
    std::string post(const std::string& path, const std::string& body) {
        return must(calls_.post(path, {body}, 1, 30min)).front();
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<eval::LocalServer> process_;
    eval::EngineCalls calls_;
};

double time_scorer(LlamaScorer& scorer, std::span<const PromptAndAnswer> answers, adapters::Feeding feeding) {
    auto start = Steady::now();
    bench::keep(must(scorer.score(answers, candidates, feeding)));
    return milliseconds_since(start) / static_cast<double>(answers.size());
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bench_scorer", argc, argv);
    auto model = from_environment("PLANETSERVE_MODELS") / "SmolLM2-135M-Instruct.Q8_0.gguf";
    Server server(from_environment("PLANETSERVE_ENGINE"), model);
    auto prompt = server.tokens_of(
        "<|im_start|>user\nI have to give a talk about the water cycle next week, to a class of ten year olds who have "
        "not heard of it before. What should I say first, and which experiment could we do together in the class room "
        "with a kettle and some ice?<|im_end|>\n<|im_start|>assistant\nThat sounds like fun. Here is what I would do.");
    prompt.resize(std::min(prompt.size(), prompt_size));
    std::vector<PromptAndAnswer> texts;
    for (std::uint32_t seed = 1; seed <= most_answers; ++seed) texts.push_back({prompt, server.answer(prompt, seed)});

    auto load = [&](std::uint32_t sequences) {
        return must(LlamaScorer::load({.model_file = model, .context = 256, .sequences = sequences}));
    };
    auto one = load(1);
    auto four = load(4);
    auto eight = load(most_answers);
    using enum adapters::Feeding;
    std::map<std::string, std::vector<double>> took;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::span<const PromptAndAnswer> all = texts;
        auto single = all.subspan(round % most_answers, 1);
        auto start = Steady::now();
        server.score(single.front());
        took["server"].push_back(milliseconds_since(start));
        took["blocks 1"].push_back(time_scorer(*one, single, blocks));
        took["blocks 4"].push_back(time_scorer(*four, all.first(4), blocks));
        took["blocks 8"].push_back(time_scorer(*eight, all, blocks));
        took["steps 1"].push_back(time_scorer(*one, single, steps));
        took["steps 4"].push_back(time_scorer(*four, all.first(4), steps));
        took["steps 8"].push_back(time_scorer(*eight, all, steps));
    }
    const double server_takes = median(took["server"]);
    for (const char* feeding : {"blocks", "steps"})
        for (const char* many : {"1", "4", "8"})
            report.add(std::string(feeding) + ", " + many + " at once, an answer",
                       median(took[std::string(feeding) + " " + many]), "ms", server_takes);
    report.add("token by token / in blocks", server_takes / median(took["blocks 1"]), "times");
    return report.finish();
}
