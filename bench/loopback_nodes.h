// What the processes of a LoopbackNetwork run: the same node classes on the same links as the program's roles.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "bench/loopback_network.h"
#include "node/model_node.h"
#include "node/user_node.h"

namespace planetserve::bench {

enum class NodeKind { relay, model, forwarder };

wire::Hello loopback_hello(wire::Role role);

// Answers with as many bytes as the path "/v1/echo/N" says, the request's body over and over.
class EchoEngine final : public inference::Service {
public:
    explicit EchoEngine(boost::asio::io_context& context) : context_(context) {}
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

private:
    boost::asio::io_context& context_;
};

class LoopbackNode final : private adapters::LinkEvents {
public:
    explicit LoopbackNode(NodeKind kind);
    ~LoopbackNode() override;

    const NodePlace& place() const { return place_; }
    // Never returns but by an exception.
    void run(const std::vector<NodePlace>& book);

private:
    void on_link_up(const NodeId&, const wire::Hello&) override {}
    void on_link_down(const NodeId& peer, const Error& why) override;
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override;
    void on_drained(const NodeId& peer) override;
    void on_call(const NodeId& from, ByteView payload);
    void rearm();
    void arm_timer();
    Time next_timer() const;

    NodeKind kind_;
    boost::asio::io_context context_{1};
    crypto::SystemRandom random_;
    SystemClock clock_;
    crypto::NodeKeys keys_;
    std::map<NodeId, Endpoint> book_;
    NodeId model_;
    NodeId requester_;  // the forwarder's other side
    EchoEngine echo_{context_};
    std::unique_ptr<adapters::LinkManager> links_;
    std::optional<node::UserNode> relay_;
    std::optional<node::ModelNode> model_node_;
    Pourer pourer_;
    NodePlace place_;
    boost::asio::steady_timer timer_{context_};
    Time armed_ = Time::max();
    bool rearm_posted_ = false;
};

}  // namespace planetserve::bench
