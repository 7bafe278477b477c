#include "inference/request_members.h"

#include <array>
#include <boost/json.hpp>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

// They choose another's slot, cache, adapter, place or file, put code in the place of text, say how an engine's parts
// talk to each other, or lead to what the operator's account keeps of others.
constexpr std::array<std::string_view, 43> for_operators{
    // llama-server
    "id_slot", "lora", "grammar_lazy", "grammar_triggers", "grammar_type", "preserved_tokens", "chat_parser",
    "chat_format", "chat_template", "generation_prompt", "response_fields", "t_max_predict_ms", "t_max_prompt_ms",
    "verbose", "return_tokens", "backend_sampling", "sse_ping_interval", "message_delimiters", "conversation_ids",
    // vLLM, SGLang
    "structural_tag", "guided_whitespace_pattern", "whitespace_pattern", "guided_decoding_backend", "priority",
    "prompt_embeds", "input_embeds", "mm_processor_kwargs", "media_io_kwargs", "kv_transfer_params", "vllm_xargs",
    "logits_processors", "lora_path", "lora_request", "custom_logit_processor", "session_params",
    // OpenAI, Anthropic
    "previous_response_id", "conversation", "background", "container", "mcp_servers", "file_ids", "vector_store_ids",
    "context_management"};
constexpr std::string_view speculation = "speculative.";

// Documented by OpenAI and Anthropic, or for sampling at llama-server and vLLM. Not here: what a request costs the
// operator's account besides its tokens ("store", "service_tier", "web_search_options").
constexpr std::array<std::string_view, 129> of_upstreams{
    // what is asked
    "model", "messages", "prompt", "suffix", "input", "system", "instructions", "tools", "tool_choice",
    "parallel_tool_calls", "parse_tool_calls", "max_tool_calls", "functions", "function_call", "documents",
    "prediction", "modalities", "audio", "truncation", "include", "metadata", "user", "safety_identifier",
    "prompt_cache_key", "cache_salt", "cache_prompt", "cache_control",
    // the answer
    "stream", "stream_options", "n", "n_cmpl", "best_of", "echo", "stop", "stop_sequences", "stop_token_ids",
    "include_stop_str_in_output", "ignore_eos", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict",
    "min_tokens", "logprobs", "top_logprobs", "prompt_logprobs", "n_probs", "post_sampling_probs", "verbosity",
    "dimensions", "encoding_format", "embd_normalize", "truncate_prompt_tokens", "add_special_tokens",
    "skip_special_tokens", "spaces_between_special_tokens", "return_tokens_as_token_ids", "return_token_ids",
    "timings_per_token", "return_progress", "continue_final_message", "add_generation_prompt",
    // thought
    "reasoning", "reasoning_effort", "reasoning_format", "reasoning_budget_tokens", "reasoning_in_content",
    "include_reasoning", "separate_reasoning", "stream_reasoning", "thinking", "thinking_budget_tokens",
    "thinking_forced_open", "enable_thinking", "chat_template_kwargs",
    // form
    "response_format", "text", "output_format", "output_config", "json_schema", "grammar", "structured_outputs",
    "guided_json", "guided_regex", "guided_choice", "guided_grammar", "regex", "ebnf",
    // sampling
    "seed", "temperature", "top_p", "top_k", "top_a", "min_p", "typical_p", "top_n_sigma", "tfs_z", "min_keep",
    "frequency_penalty", "presence_penalty", "repetition_penalty", "repeat_penalty", "repeat_last_n", "length_penalty",
    "logit_bias", "allowed_token_ids", "bad_words", "samplers", "dynatemp_range", "dynatemp_exponent",
    "xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n",
    "dry_sequence_breakers", "mirostat", "mirostat_tau", "mirostat_eta", "adaptive_target", "adaptive_decay",
    "smoothing_factor", "use_beam_search", "early_stopping", "n_keep", "n_discard", "n_indent", "typical"};

// Arguments of the functions that fill a template in, rather than of the template.
constexpr std::array<std::string_view, 11> of_the_filler{"chat_template",
                                                         "conversation",
                                                         "messages",
                                                         "tools",
                                                         "documents",
                                                         "padding",
                                                         "truncation",
                                                         "max_length",
                                                         "continue_final_message",
                                                         "add_generation_prompt",
                                                         "model_config"};
// A template argument's length, in bytes.
constexpr std::size_t longest_argument = 256;

}  // namespace

std::optional<std::string> operators_member(const json::object& body) {
    for (const auto& [name, value] : body)
        if (!value.is_null() && (is_one_of(name, for_operators) || std::string_view(name).starts_with(speculation)))
            return std::string(name);
    return std::nullopt;
}

bool passes_to_upstream(std::string_view name) { return is_one_of(name, of_upstreams); }

std::optional<std::string> wrong_template_arguments(const json::value& arguments) {
    if (!arguments.is_object()) return "must be an object";
    for (const auto& [name, value] : arguments.get_object()) {
        const std::string folded = lower_case(name);
        if (is_one_of(folded, of_the_filler) || folded.starts_with("token") || folded.starts_with("return_"))
            return "'" + std::string(name.substr(0, 64)) + "' is for the engine's operator; leave it out";
        if (value.is_structured() || text_of(&value).value_or("").size() > longest_argument)
            return "may hold switches, numbers and short texts";
    }
    return std::nullopt;
}

std::string upstream_body(const json::object& body, std::string_view model) {
    json::object passed;
    for (const auto& [name, value] : body)
        if (passes_to_upstream(name)) passed[name] = value;
    passed["model"] = model;
    return compact(passed);
}

}  // namespace planetserve::inference
