#include "roles/verification_node_role.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>

namespace planetserve::roles {

namespace json = boost::json;

namespace {

// Transactions are gathered for this long before a block is made of them.
constexpr Duration block_interval = 100ms;

}  // namespace

void VerificationNodeRole::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    if (type != wire::FrameType::call_request) {
        if (agent_) agent_->on_frame(from, type, payload);
        return;
    }
    server_.on_call(from, payload, runtime_.clock().read(), [&runtime = runtime_, from](const Bytes& answer) {
        // A node whose queue is full or whose link is gone asks again.
        (void)runtime.links().send(from, wire::FrameType::call_response, {answer});
    });
}

std::string VerificationNodeRole::status_json() {
    json::object status{{"id", runtime_.keys().identity.id().hex()},
                        {"role", "verifier"},
                        {"calls", server_.calls()},
                        {"refused", server_.refused()}};
    describe(status);
    if (agent_) status["verification"] = agent_->status();
    return json::serialize(status);
}

LoneVerificationNode::LoneVerificationNode(Runtime& runtime, committee::EmbeddedConsensus& engine)
    : VerificationNodeRole(runtime, engine), engine_(engine), next_(runtime.clock().now() + block_interval) {}

void LoneVerificationNode::on_timer() {
    VerificationNodeRole::on_timer();
    if (runtime_.clock().now() < next_) return;
    next_ = runtime_.clock().now() + block_interval;
    auto height = engine_.registry().height();
    if (auto made = engine_.tick(runtime_.clock().unix_now()); !made) {
        // A block that cannot be kept must not be built on.
        spdlog::critical("{}", made.error().message);
        std::_Exit(1);
    }
    if (engine_.registry().height() != height)
        spdlog::debug("block {}: {} entries", engine_.registry().height(), engine_.registry().entries().size());
}

void LoneVerificationNode::describe(json::object& status) const {
    status["height"] = engine_.registry().height();
    status["app_hash"] = to_hex(engine_.registry().app_hash());
    status["consensus"] = json::object{{"engine", "embedded"}, {"state", "running"}, {"reason", ""}};
}

Status CommitteeVerificationNode::ready() {
    auto status = engine_.status();
    if (status.state != adapters::ConsensusState::running)
        return fail(ErrorCode::unavailable, "the consensus engine is " + std::string(to_string(status.state)) +
                                                (status.reason.empty() ? "" : ": " + status.reason));
    if (status.proven_height == 0) return fail(ErrorCode::unavailable, "no list is proven yet");
    return {};
}

void CommitteeVerificationNode::describe(json::object& out) const {
    auto status = engine_.status();
    out["height"] = status.height;
    out["app_hash"] = to_hex(status.app_hash);
    out["proven_height"] = status.proven_height;
    out["transactions"] = status.transactions;
    out["consensus"] =
        json::object{{"engine", "CometBFT"}, {"state", to_string(status.state)}, {"reason", status.reason},
                     {"pid", status.pid},    {"starts", status.starts},          {"peers", status.peers}};
}

}  // namespace planetserve::roles
