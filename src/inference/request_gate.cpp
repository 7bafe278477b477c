#include "inference/request_gate.h"

#include "inference/own_reply.h"

namespace planetserve::inference {

Result<std::unique_ptr<Exchange>> RequestGate::start(Request request, ReplySink& sink) {
    auto traits = traits_.find(request.model);
    if (traits == traits_.end()) return engines_.start(std::move(request), sink);
    auto checked = check_request(request, traits->second, limits_);
    if (!checked) {
        const Refusal& refusal = checked.error();
        ++refused_;
        return own_reply(defer_, {refusal.status, {{"content-type", "application/json"}}}, error_body(refusal), sink);
    }
    request.tokens = checked->tokens;
    // Whatever the user called it, it was read as JSON; and the query is for the user's own node.
    request.content_type = "application/json";
    request.path = request.path.substr(0, request.path.find('?'));
    if (checked->body) request.body = std::move(*checked->body);
    return engines_.start(std::move(request), sink);
}

}  // namespace planetserve::inference
