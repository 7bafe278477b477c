// A model node: answers requests that reach it through the overlay by running them on its engines, or forwards
// them to others of its models' groups. Frames, lost links and the time go in; frames go out. Not thread-safe.
//
// It reads the clock, once for each event: callbacks of engines carry no time.
#pragma once

#include "crypto/identity.h"
#include "exchange/model_side.h"
#include "node/model_groups.h"

namespace planetserve::node {

struct ModelNodeOptions {
    exchange::ModelSideLimits limits{};
    // For the groups: how busy the engines are, and which of the process's starts this is (model_groups.h).
    ModelGroups::ReadStats stats = [] { return inference::RouterStats{}; };
    routing::Incarnation incarnation = 1;
};

class ModelNode final : private exchange::RunEvents {
public:
    // The service is the node's engines; it outlives the node.
    ModelNode(const crypto::NodeKeys& keys, ModelNodeOptions options, wire::FrameSender& sender,
              inference::Service& engines, Random& random, const Clock& clock)
        : groups_(keys.identity.id(), engines, std::move(options.stats), sender, random, clock, options.incarnation),
          model_side_(keys.identity.id(), keys.onion, options.limits, sender, groups_, random, *this),
          clock_(clock) {
        model_side_.set_forwarding(groups_);
    }

    // Instead of the groups. It outlives the node.
    void set_forwarding(exchange::Forwarding& forwarding) { model_side_.set_forwarding(forwarding); }

    bool on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
        switch (type) {
            case wire::FrameType::clove_forward:
                model_side_.on_clove(from, payload, clock_.now());
                return true;
            case wire::FrameType::reply_closed:
                model_side_.on_reply_closed(from, payload, clock_.now());
                return true;
            case wire::FrameType::forward_request:
                model_side_.on_forward_request(from, payload, clock_.now());
                return true;
            case wire::FrameType::forward_answer:
                model_side_.on_forward_answer(from, payload, clock_.now());
                return true;
            case wire::FrameType::forward_control:
                model_side_.on_forward_control(from, payload, clock_.now());
                return true;
            case wire::FrameType::group_sync:
                groups_.on_sync(from, payload);
                return true;
            default:
                return false;
        }
    }
    void on_link_down(const NodeId& peer) {
        model_side_.on_link_down(peer, clock_.now());
        groups_.on_link_down(peer);
    }
    void on_drained(const NodeId& peer) { model_side_.on_drained(peer); }
    void on_timer() {
        model_side_.on_timer(clock_.now());
        groups_.on_timer();
    }
    Time next_timer() const { return std::min(model_side_.next_timer(), groups_.next_timer()); }

    // None at first: every request runs here.
    ModelGroups& groups() { return groups_; }
    const ModelGroups& groups() const { return groups_; }
    const exchange::ModelSide& model_side() const { return model_side_; }

private:
    // An engine said something, which no event of the node carries the time for.
    void on_run_progress(const exchange::RunId& run) override { model_side_.on_run_progress(run, clock_.now()); }

    ModelGroups groups_;
    exchange::ModelSide model_side_;
    const Clock& clock_;
};

}  // namespace planetserve::node
