// An engine whose answers the node signs (docs/protocols/scoring.md, "Signed answers").
//
// Around a llama-server. To a request for an answer that brings no seed it adds the one that follows from the request's
// nonce, so that what is drawn is fixed by model, prompt and nonce. Of a chat completion that is not streamed it also
// asks for the tokens, and gives the reply a member "planetserve": {"signed_answer": hex}; what else the engine said on
// its account is taken out again. All requests are treated alike, so that a verifier's look like anybody's.
//
// Requests and replies beyond the limits, and what is no JSON, pass unchanged.
#pragma once

#include "crypto/identity.h"
#include "inference/service.h"

namespace planetserve::adapters {

class SigningService final : public inference::Service {
public:
    static constexpr std::size_t request_limit = 1 << 20;
    static constexpr std::size_t reply_limit = 8 << 20;

    // The engine outlives the service, and the service its exchanges.
    SigningService(inference::Service& engine, std::string model, const crypto::Identity& node)
        : engine_(engine), model_(std::move(model)), node_(node) {}

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

private:
    class Signing;

    inference::Service& engine_;
    std::string model_;
    crypto::Identity node_;
};

}  // namespace planetserve::adapters
