// What every role runs on: one thread with an event loop, links, the directory, timers, and an end in good order. A
// role gives the runtime its handlers and is otherwise pure.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "adapters/links/link_manager.h"
#include "apps/config.h"
#include "apps/network_home.h"
#include "committee/directory_client.h"
#include "crypto/system_random.h"

namespace planetserve::apps {

// The part of a node that takes frames and time.
class RoleEvents {
public:
    virtual ~RoleEvents() = default;
    virtual void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) = 0;
    virtual void on_link_down(const NodeId& peer) = 0;
    virtual void on_drained(const NodeId& peer) = 0;
    virtual void on_timer() = 0;
    virtual Time next_timer() const = 0;
    virtual void on_list(const committee::DirectoryList& list) = 0;
    virtual committee::Load load() const { return {}; }
};

class Runtime final : private adapters::LinkEvents {
public:
    // Reads the genesis and the keys, sets up logging. Throws std::runtime_error with what is wrong.
    Runtime(const CommonConfig& config, wire::Role role);
    ~Runtime() override;

    boost::asio::io_context& context() { return context_; }
    const crypto::NodeKeys& keys() const { return keys_; }
    const committee::Genesis& genesis() const { return genesis_; }
    const Clock& clock() const { return clock_; }
    Random& random() { return random_; }
    adapters::LinkManager& links() { return *links_; }
    committee::DirectoryClient& directory() { return *directory_; }
    const std::filesystem::path& home() const { return config_.home; }
    // The address that others are told.
    const Endpoint& address() const { return address_; }

    // Starts listening, hands events to the role, and registers with the descriptor if one is given (its id, role, keys
    // and address are filled in). The role outlives the runtime's run.
    void attach(RoleEvents& role, std::optional<committee::NodeDescriptor> descriptor);
    // What the node says of itself has changed; nothing: it has nothing to offer for now and leaves the list.
    void describe(std::optional<committee::NodeDescriptor> descriptor);
    // Where the nodes of a list are, for a verification node, which fetches none.
    void know(const std::map<NodeId, committee::Entry>& entries);
    // Something happened outside a frame: timers are looked at again.
    void rearm();
    // Runs until SIGTERM or SIGINT, then leaves the directory and calls on_stop, which calls what it is given when the
    // role has finished; ends then, or after 8 s, or at a second signal. Returns the exit code.
    int run(const std::string& api, std::function<void(std::function<void()> finished)> on_stop);

private:
    void on_link_up(const NodeId& peer, const wire::Hello& hello) override;
    void on_link_down(const NodeId& peer, const Error& why) override;
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override;
    void on_drained(const NodeId& peer) override;
    void take_list(const committee::DirectoryList& list);
    void keep_list();
    void arm_timer();
    void log_directory();
    std::vector<Endpoint> resolve(const NodeId& id) const;

    CommonConfig config_;
    wire::Role role_kind_;
    boost::asio::io_context context_{1};
    SystemClock clock_;
    crypto::SystemRandom random_;
    crypto::NodeKeys keys_;
    committee::Genesis genesis_;
    std::unique_ptr<adapters::LinkManager> links_;
    std::unique_ptr<committee::DirectoryClient> directory_;
    Endpoint address_;
    RoleEvents* role_ = nullptr;
    std::unordered_map<NodeId, std::vector<Endpoint>, IdHash> addresses_;
    boost::asio::steady_timer timer_{context_};
    Time armed_ = Time::max();
    bool rearm_posted_ = false;
    std::optional<Time> kept_at_;
    std::uint64_t failures_seen_ = 0;     // of the directory
    std::map<std::string, Time> logged_;  // when, of its failures
};

}  // namespace planetserve::apps
