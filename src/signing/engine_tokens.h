// Prompts and answers of llama-server as token ids, and its sampler bound to a nonce (docs/protocols/scoring.md).
//
// Only the engine knows the tokens of a prompt, since it applies the model's chat template. POST /apply-template gives
// the text. POST /tokenize, with special tokens added and recognised, gives the ids that POST /v1/chat/completions
// would use. The chat endpoint tells the tokens of an answer to a request with its own members "return_tokens" and
// "verbose", and only in a reply that is not streamed.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "scoring/answer_score.h"

namespace planetserve::signing {

inline constexpr std::size_t engine_tokens_limit = 1 << 20;  // tokens of a prompt or an answer
inline constexpr std::uint64_t largest_token = 0x7fffffff;   // llama-server numbers them by 32 bits with a sign

// The chain of samplers that can be replayed, for llama-server's member "samplers".
boost::json::array replayed_samplers();
// Makes a chat completion draw as the profile says, and by no other sampler.
void bind_sampling(boost::json::object& request, const scoring::SamplingProfile& profile, const scoring::Nonce& nonce);
// Makes its reply tell the answer's tokens. Requires: the request does not ask for a stream.
void ask_for_tokens(boost::json::object& request);

struct EngineAnswer {
    std::vector<scoring::TokenId> tokens = {};  // with the token that ended the text
    scoring::FinishReason finish = scoring::FinishReason::end_of_text;
    std::uint64_t prompt_tokens = 0;
    std::string text = {};
};

// malformed: not such a reply, or an answer that a stop string ended, which cannot be scored.
Result<EngineAnswer> read_engine_answer(std::string_view body);
Result<EngineAnswer> engine_answer_of(const boost::json::value& reply);
// Why an answer ended, by its "stop_type" and "truncated". malformed: it ended in a way that cannot be scored.
Result<scoring::FinishReason> finish_of(std::string_view stop_type, bool truncated);

std::string apply_template_request(const boost::json::array& messages);
Result<std::string> read_applied_template(std::string_view body);
std::string tokenize_request(std::string_view text);
Result<std::vector<scoring::TokenId>> read_tokens(std::string_view body);

}  // namespace planetserve::signing
