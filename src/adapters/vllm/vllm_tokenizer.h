// The tokens of a prompt, from vLLM's POST /tokenize, which applies the model's chat template as the request itself
// would.
//
// It works for /v1/chat/completions without pictures and for /v1/completions. The tokens of other requests are unknown.
#pragma once

#include <boost/asio/io_context.hpp>
#include <list>
#include <memory>
#include <string>

#include "base/result.h"
#include "inference/service.h"
#include "inference/small_call.h"
#include "inference/tokenizer.h"

namespace planetserve::adapters {

inline constexpr std::size_t tokenize_answer_limit = 32 << 20;  // bytes
inline constexpr std::size_t tokenize_token_limit = 1 << 20;

// The body to ask with. not_found: the tokens of such a request cannot be known. Other errors as canonical_prompt.
Result<std::string> vllm_tokenize_request(std::string_view path, ByteView body);
// Where the answer has the tokens' texts, a token weighs as many bytes as its text has characters. A special token
// weighs two, as a mark of the canonical serialisation does.
Result<inference::PromptTokens> read_vllm_tokens(std::string_view body);

class VllmTokenizer final : public inference::Tokenizer {
public:
    static constexpr std::size_t at_once = 16;  // requests; the tokens of more are unknown

    // Both outlive it. The service is the engine's HTTP server.
    VllmTokenizer(boost::asio::io_context& context, inference::Service& service);
    ~VllmTokenizer() override;

    void tokenize(std::string_view path, ByteView body, Handler handler) override;

    std::uint64_t asked() const { return asked_; }
    std::uint64_t failed() const { return failed_; }  // no answer, or one that cannot be read

private:
    boost::asio::io_context& context_;
    inference::Service& service_;
    std::list<inference::SmallCall> calls_;
    std::uint64_t asked_ = 0;
    std::uint64_t failed_ = 0;
};

}  // namespace planetserve::adapters
