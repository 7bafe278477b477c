// An engine whose answers the node signs (docs/protocols/scoring.md, "Signed answers").
//
// It stands around a llama-server. It completes each request for an answer by the sampling that the request leaves out
// (request_sampling.h), so that model, prompt and nonce fix the answer. It asks the engine for the tokens of a chat
// completion. The reply, or the event that ends a streamed one, gets a member "planetserve": {"signed_answer": hex};
// what the engine said for this purpose only is removed. Events pass as they come, up to the answer's end; the rest
// waits for the signature. All requests are treated alike, so that a verification node's look like anybody's.
//
// Requests and replies beyond the limits, and those that are not JSON, pass unchanged. So do streams whose answer could
// not be scored: telling their tokens would cost for nothing.
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
    static constexpr std::size_t request_limit = 1 << 20;  // bytes
    static constexpr std::size_t reply_limit = 8 << 20;    // bytes

    // The engine outlives the service, and the service its exchanges. `end_token` ends the model's texts; without it,
    // streams that end by themselves are not signed.
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
