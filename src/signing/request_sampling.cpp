#include "signing/request_sampling.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "base/requires.h"
#include "inference/bounded_json.h"
#include "signing/engine_tokens.h"

namespace planetserve::signing {

namespace json = boost::json;
using inference::find;
using inference::is_given;
using scoring::SamplingProfile;

namespace {

// Members of llama-server that change which token is drawn, or whether another may be.
constexpr auto changing = std::to_array<std::string_view>({"samplers",
                                                           "mirostat",
                                                           "typical_p",
                                                           "top_n_sigma",
                                                           "xtc_probability",
                                                           "dynatemp_range",
                                                           "repeat_penalty",
                                                           "dry_multiplier",
                                                           "adaptive_target",
                                                           "min_keep",
                                                           "logit_bias",
                                                           "ignore_eos",
                                                           "grammar",
                                                           "json_schema",
                                                           "tools",
                                                           "functions",
                                                           "lora",
                                                           "backend_sampling",
                                                           "reasoning_control",
                                                           "reasoning_budget_tokens",
                                                           "thinking_budget_tokens",
                                                           "n_cmpl",
                                                           "n_indent",
                                                           "t_max_predict_ms"});

// Members that clients send although they change nothing.
bool says_nothing(const json::value& value) {
    if (value.is_null()) return true;
    if (const auto* list = value.if_array()) return list->empty();
    if (const auto* members = value.if_object()) return members->empty();
    return value.is_bool() && !value.get_bool();
}

bool is_plain(const json::value& request) {
    for (std::string_view name : changing)
        if (const auto* value = find(&request, name); value != nullptr && !says_nothing(*value)) return false;
    for (std::string_view name : {"frequency_penalty", "presence_penalty"})
        if (const auto* value = find(&request, name); is_given(value) && inference::number_of(value) != 0) return false;
    if (const auto* n = find(&request, "n"); is_given(n) && inference::count_of(n) != 1) return false;
    const auto* format = find(&request, "response_format");
    return !is_given(format) || inference::text_of(find(format, "type")) == "text";
}

// Reads a number that is given. Returns false for a value that is not a number of its type.
bool read(const json::value& request, std::string_view name, float& into) {
    const auto* value = find(&request, name);
    if (!is_given(value)) return true;
    auto number = inference::number_of(value);
    if (number) into = static_cast<float>(*number);
    return number.has_value();
}

bool read(const json::value& request, std::string_view name, std::uint32_t& into) {
    const auto* value = find(&request, name);
    if (!is_given(value)) return true;
    auto number = inference::count_of(value);
    if (!number || *number > 0xffffffff) return false;
    into = static_cast<std::uint32_t>(*number);
    return true;
}

std::optional<SamplingProfile> profile_of(const json::value& request) {
    SamplingProfile profile = scoring::usual_sampling;
    std::uint32_t seed = 0;
    if (!is_plain(request) || !read(request, "temperature", profile.temperature) ||
        !read(request, "top_k", profile.top_k) || !read(request, "top_p", profile.top_p) ||
        !read(request, "min_p", profile.min_p) || !read(request, "seed", seed))
        return std::nullopt;
    if (is_given(find(&request, "seed"))) profile.seed = seed;
    for (std::string_view name : {"max_tokens", "max_completion_tokens", "n_predict"})
        if (is_given(find(&request, name)) && !read(request, name, profile.max_tokens)) return std::nullopt;
    return scorable(profile) ? std::optional(profile) : std::nullopt;
}

// The fewest digits that are read as this float again, in the form that people write.
std::string shortest(float value) {
    std::array<char, 32> digits{};
    auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    return {digits.data(), written.ptr};
}

}  // namespace

RequestSampling sampling_of(const json::value& request, const scoring::Nonce& nonce) {
    REQUIRES(request.is_object());
    RequestSampling sampling{.profile = profile_of(request)};
    auto add = [&](std::string_view name, const std::string& value) {
        if (is_given(find(&request, name))) return;
        sampling.added += (sampling.added.empty() ? "\"" : ",\"") + std::string(name) + "\":" + value;
    };
    add("seed", std::to_string(scoring::seed_of(nonce)));
    if (!sampling.profile) return sampling;
    constexpr SamplingProfile usual = scoring::usual_sampling;
    add("temperature", shortest(usual.temperature));
    add("top_k", std::to_string(usual.top_k));
    add("top_p", shortest(usual.top_p));
    add("min_p", shortest(usual.min_p));
    add("mirostat", "0");
    add("samplers", json::serialize(replayed_samplers()));
    return sampling;
}

}  // namespace planetserve::signing
