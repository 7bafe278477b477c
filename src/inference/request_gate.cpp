#include "inference/request_gate.h"

#include <boost/json.hpp>

#include "inference/bounded_json.h"
#include "inference/own_reply.h"

namespace planetserve::inference {

namespace {

// Some servers know members in capitals too ("Model"): of several they take the last.
void write_model(Bytes& body, const std::string& model) {
    const std::size_t brace = as_text(body).rfind('}');
    const Bytes member = to_bytes(",\"model\":" + compact(boost::json::string(model)));
    body.insert(body.begin() + static_cast<std::ptrdiff_t>(brace), member.begin(), member.end());
}

}  // namespace

Result<std::unique_ptr<Exchange>> RequestGate::start(Request request, ReplySink& sink) {
    auto traits = traits_.find(request.model);
    if (traits == traits_.end()) return engines_.start(std::move(request), sink);
    if (auto refusal = check_request(request, traits->second, limits_)) {
        ++refused_;
        return own_reply(defer_, {refusal->status, {{"content-type", "application/json"}}}, error_body(*refusal), sink);
    }
    // Whatever the user called it, it was read as JSON; and the query is for the user's own node.
    request.content_type = "application/json";
    request.path = request.path.substr(0, request.path.find('?'));
    // An answer of llama-server's is signed over the body as it came, and it serves one model.
    if (traits->second.kind == EngineTraits::Kind::other) write_model(request.body, request.model);
    return engines_.start(std::move(request), sink);
}

}  // namespace planetserve::inference
