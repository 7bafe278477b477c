// An overlay in virtual time, of the nodes' own classes: what experiments ask, break and watch.
//
// What is simulated: how long frames take (the delay), and engines (simulator::TokenEngine), which serve the model "m".
// Everything draws on one stream of random numbers, so a seed and an order of calls repeat a run. Not thread-safe.
#pragma once

#include <memory>

#include "node/model_node.h"
#include "node/user_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::eval {

// A node, and what a directory lists of it. It leaves the network with kill or vanish, and may be destroyed then.
struct SimulatedUser {
    std::unique_ptr<simulator::NodeHost<node::UserNode>> host;
    onion::RelayInfo listed;

    const NodeId& id() const { return host->id; }
    node::UserRequests& requests() const { return host->node.requests(); }
    onion::PathPool& pool() const { return requests().pool(); }
    std::size_t paths_up() const;
};

// A user node that asks nothing.
struct SimulatedRelay {
    std::unique_ptr<simulator::NodeHost<node::RelayRole>> host;
    onion::RelayInfo listed;

    const NodeId& id() const { return host->id; }
};

struct SimulatedModelNode {
    std::unique_ptr<simulator::TokenEngine> engine;
    std::unique_ptr<simulator::NodeHost<node::ModelNode>> host;
    node::ModelNodeInfo listed;

    const NodeId& id() const { return host->id; }
};

// An answer as it comes.
class SimulatedReply final : public inference::ReplySink {
public:
    enum class State : std::uint8_t { running, ended, failed };
    // What the client does with the text: reads and keeps it, reads and forgets it, or leaves it unread. An answer that
    // is left unread stops when its window is full.
    enum class Reading : std::uint8_t { kept, forgotten, never };

    SimulatedReply(const Clock& clock, Reading reading) : clock_(clock), reading_(reading), asked_(clock.now()) {}

    State state() const { return state_; }
    Time asked() const { return asked_; }
    std::optional<Time> first_token() const { return first_; }
    const std::string& text() const { return text_; }  // where it is kept
    // From the reply's head: who served.
    std::optional<NodeId> model_node() const;
    // Requires: state() is failed.
    const Error& error() const { return *error_; }
    // The client goes away.
    void hang_up() { exchange_.reset(); }

private:
    friend class SimulatedOverlay;
    void on_head(const inference::ReplyHead& head) override { head_ = head; }
    void on_body(ByteView bytes) override;
    void on_end() override { state_ = State::ended; }
    void on_error(const Error& error) override;

    const Clock& clock_;
    Reading reading_;
    Time asked_;
    State state_ = State::running;
    std::optional<Time> first_;
    std::string text_;
    inference::ReplyHead head_;
    std::optional<Error> error_;
    std::unique_ptr<inference::Exchange> exchange_;
};

class SimulatedOverlay {
public:
    SimulatedOverlay(std::uint64_t seed, simulator::Network::Delay delay)
        : random_(seed), network_(clock_, std::move(delay)) {}

    simulator::EventQueue& clock() { return clock_; }
    simulator::Network& network() { return network_; }
    SeededRandom& random() { return random_; }

    // Called with the id before the node exists, for networks whose delay depends on where a node is.
    using Place = std::function<void(const NodeId&)>;
    static void nowhere(const NodeId&) {}
    SimulatedUser make_user(const node::UserNodeOptions& options, const Place& place = nowhere);
    SimulatedRelay make_relay(const Place& place = nowhere);
    SimulatedModelNode make_model_node(simulator::TokenEngineOptions options, const Place& place = nowhere);

    void tell_directory(const SimulatedUser& user, const node::DirectoryView& view);

    // Asks for a completion. The reply lives until it hangs up or the user node is gone.
    Bytes random_body();
    void ask(const SimulatedUser& user, Bytes body, SimulatedReply& reply);

private:
    crypto::NodeKeys make_keys();

    SeededRandom random_;
    simulator::EventQueue clock_;
    simulator::Network network_;
};

}  // namespace planetserve::eval
