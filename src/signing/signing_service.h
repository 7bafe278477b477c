// An engine whose answers the node signs (docs/protocols/scoring.md, "Signed answers").
//
// Around a llama-server. A request for an answer is completed by what it leaves out of how the answer is drawn
// (request_sampling.h), so that it is fixed by model, prompt and nonce. Of a chat completion the engine is also asked
// for the tokens, and the reply, or the event that ends it where it is streamed, gets a member
// "planetserve": {"signed_answer": hex}; what else the engine said on its account is taken out again. Events are passed
// on as they come, but for those from the answer's end on, which wait for the signature. All requests are treated
// alike, so that a verifier's look like anybody's.
//
// Requests and replies beyond the limits, and what is no JSON, pass unchanged. So do streams whose answer could not be
// scored: they have the cost of telling tokens for nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "crypto/identity.h"
#include "inference/service.h"
#include "scoring/sampling.h"

namespace planetserve::signing {

class SigningService final : public inference::Service {
public:
    static constexpr std::size_t request_limit = 1 << 20;
    static constexpr std::size_t reply_limit = 8 << 20;

    // The engine outlives the service, and the service its exchanges. Without the token that ends the model's texts
    // (gguf.h), streams that end by themselves are not signed.
    SigningService(inference::Service& engine, std::string model, const crypto::Identity& node,
                   std::optional<scoring::TokenId> end_token)
        : engine_(engine), model_(std::move(model)), node_(node), end_token_(end_token) {}

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

private:
    class Signing;
    class WholeReply;
    class Stream;

    inference::Service& engine_;
    std::string model_;
    crypto::Identity node_;
    std::optional<scoring::TokenId> end_token_;
};

}  // namespace planetserve::signing
