#include "inference/request_gate.h"

#include <boost/json.hpp>

#include "base/requires.h"
#include "inference/bounded_json.h"
#include "inference/own_reply.h"
#include "inference/prompt.h"
#include "inference/request_members.h"

namespace planetserve::inference {

namespace {

// The members that an upstream may have, and the model that was asked for. The body was read once, so it can be read.
void write_for_upstream(Request& request) {
    auto body = parse_json(as_text(request.body), prompt_memory_limit);
    REQUIRES(body && body->is_object());
    request.body = to_bytes(upstream_body(body->get_object(), request.model));
}

}  // namespace

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
    if (traits->second.kind == EngineTraits::Kind::other) write_for_upstream(request);
    return engines_.start(std::move(request), sink);
}

}  // namespace planetserve::inference
