#include "eval/clove_latency/lengths.h"

#include <array>
#include <charconv>
#include <cmath>

#include "eval/kit/files.h"
#include "eval/workload/trace.h"

namespace planetserve::eval {

namespace {

constexpr std::size_t trace_limit = 256 << 20;
constexpr std::string_view azure_header = "TIMESTAMP,ContextTokens,GeneratedTokens";
constexpr std::string_view azure_name = "AzureLLMInferenceTrace_code.csv";

// Tokens at these shares of all requests, computed from the two traces.
constexpr std::array shares{0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0};
using Quantiles = std::array<double, shares.size()>;
constexpr Quantiles conversation_prompts{891, 964, 1662, 3263, 4993, 6909, 9570, 13196, 17869, 27367, 85401, 126195};
constexpr Quantiles conversation_answers{1, 24, 100, 213, 291, 350, 399, 447, 504, 597, 1120, 2000};
constexpr Quantiles code_prompts{3, 147, 386, 770, 1075, 1469, 1909, 2433, 3192, 5186, 7436, 7437};
constexpr Quantiles code_answers{6, 7, 8, 9, 11, 13, 16, 20, 29, 55, 252, 1899};
constexpr std::size_t drawn_requests = 10'000;

std::uint32_t draw(const Quantiles& quantiles, Random& random) {
    double share = random.unit();
    std::size_t above = 1;
    while (shares[above] <= share) ++above;
    double within = (share - shares[above - 1]) / (shares[above] - shares[above - 1]);
    double tokens = quantiles[above - 1] + within * (quantiles[above] - quantiles[above - 1]);
    return static_cast<std::uint32_t>(std::lround(tokens));
}

LengthTrace draw_trace(std::string name, const Quantiles& prompts, const Quantiles& answers, Random& random) {
    LengthTrace trace{std::move(name), {}};
    for (std::size_t i = 0; i < drawn_requests; ++i) {
        std::uint32_t prompt = draw(prompts, random);
        trace.requests.push_back({prompt, draw(answers, random)});
    }
    return trace;
}

bool parse_tokens(std::string_view text, std::uint32_t& tokens) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), tokens);
    return error == std::errc{} && end == text.data() + text.size() && tokens <= token_limit;
}

}  // namespace

Result<std::vector<Lengths>> parse_azure_trace(std::string_view text) {
    std::vector<Lengths> requests;
    for (std::size_t number = 1; !text.empty(); ++number) {
        auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        auto bad = [&](const std::string& why) {
            return fail(ErrorCode::malformed, "line " + std::to_string(number) + " " + why);
        };
        if (number == 1) {
            if (line != azure_header) return bad("is not \"" + std::string(azure_header) + "\"");
            continue;
        }
        if (line.empty()) continue;
        auto second = line.rfind(',');
        auto first = second == line.npos || second == 0 ? line.npos : line.rfind(',', second - 1);
        Lengths lengths;
        if (first == line.npos || !parse_tokens(line.substr(first + 1, second - first - 1), lengths.prompt) ||
            !parse_tokens(line.substr(second + 1), lengths.answer))
            return bad("is not a time and two numbers of tokens");
        requests.push_back(lengths);
    }
    if (requests.empty()) return fail(ErrorCode::malformed, "there are no requests in it");
    return requests;
}

Result<LengthTrace> read_length_trace(const std::filesystem::path& file) {
    auto text = read_file(file, trace_limit);
    if (!text) return std::unexpected(text.error());
    auto named = [&](const Error& error) { return fail(error.code, file.string() + ": " + error.message); };
    LengthTrace trace{file.stem().string(), {}};
    for (char& letter : trace.name)
        if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
    if (file.extension() == ".csv") {
        auto requests = parse_azure_trace(*text);
        if (!requests) return named(requests.error());
        trace.requests = std::move(*requests);
    } else {
        auto requests = parse_trace(*text);
        if (!requests) return named(requests.error());
        for (const auto& request : *requests) trace.requests.push_back({request.input_length, request.output_length});
    }
    return trace;
}

Result<std::vector<LengthTrace>> default_length_traces(Random& random) {
    std::vector<LengthTrace> traces;
    if (auto conversation = default_trace()) {
        auto trace = read_length_trace(*conversation);
        if (!trace) return std::unexpected(trace.error());
        traces.push_back(std::move(*trace));
        auto azure = conversation->parent_path() / azure_name;
        if (std::error_code error; std::filesystem::exists(azure, error)) {
            auto code = read_length_trace(azure);
            if (!code) return std::unexpected(code.error());
            traces.push_back(std::move(*code));
        }
        return traces;
    }
    traces.push_back(draw_trace("conversation_trace_quantiles", conversation_prompts, conversation_answers, random));
    traces.push_back(draw_trace("AzureLLMInferenceTrace_code_quantiles", code_prompts, code_answers, random));
    return traces;
}

}  // namespace planetserve::eval
