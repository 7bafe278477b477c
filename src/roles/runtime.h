// What every role runs on: one thread with an event loop, links, the directory, timers, and an orderly end. A role
// gives the runtime its handlers and is otherwise pure.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "adapters/links/link_manager.h"
#include "committee/directory_client.h"
#include "config/common.h"
#include "crypto/system_random.h"
#include "roles/alarm.h"
#include "roles/directory_journal.h"
#include "roles/home_lock.h"
#include "roles/kept_list.h"
#include "roles/own_address.h"

namespace planetserve::roles {

// How a node knows the network.
enum class DirectoryUse : std::uint8_t {
    asks,  // it asks verification nodes for the list
    is,    // it is a verification node, and so the directory itself
};

struct NodeKind {
    wire::Role role;
    const char* name;  // as in the run file and the log
    DirectoryUse directory;
};
inline constexpr NodeKind user_node{wire::Role::user, "user", DirectoryUse::asks};
inline constexpr NodeKind model_node{wire::Role::model, "model", DirectoryUse::asks};
inline constexpr NodeKind verification_node{wire::Role::verifier, "verifier", DirectoryUse::is};

// Where a node answers HTTP.
struct HttpService {
    const char* name;  // "API", "status endpoint"
    std::string url;
};

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
    // Calls what it is given once the role has finished.
    using OnStop = std::function<void(std::function<void()> finished)>;

    // Locks the home, reads the genesis and the keys, sets up logging. Throws std::runtime_error with what is wrong.
    Runtime(const config::CommonConfig& config, const NodeKind& kind);
    ~Runtime() override;

    boost::asio::io_context& context() { return context_; }
    const crypto::NodeKeys& keys() const { return keys_; }
    const committee::Genesis& genesis() const { return genesis_; }
    const Clock& clock() const { return clock_; }
    Random& random() { return random_; }
    adapters::LinkManager& links() { return *links_; }
    committee::DirectoryClient& directory() { return *directory_; }
    const std::filesystem::path& home() const { return config_.home; }

    // Starts handing events to the role, and registers the descriptor if one is given; the runtime fills in its id,
    // role, keys and address. The role outlives run().
    void attach(RoleEvents& role, std::optional<committee::NodeDescriptor> descriptor);
    // Changes what the node says of itself. Without a descriptor it has nothing to offer for now, and leaves the list.
    void describe(std::optional<committee::NodeDescriptor> descriptor);
    // Takes the addresses of the nodes of a list. For a verification node, which fetches none.
    void know(const std::map<NodeId, committee::Entry>& entries);
    // Something happened outside a frame: looks at the timers again.
    void rearm();
    // Runs until SIGTERM or SIGINT, then leaves the directory and calls on_stop. Returns when the role has finished,
    // after 8 s, or at a second signal. Throws std::runtime_error where the run file cannot be written.
    void run(const std::optional<HttpService>& http, OnStop on_stop);
    // What SIGHUP does while the node runs; nothing without it.
    void on_hang_up(std::function<void()> handler) { on_hang_up_ = std::move(handler); }
    static void set_log_level(config::LogLevel level);

private:
    void on_link_up(const NodeId& peer, const wire::Hello& hello) override;
    void on_link_down(const NodeId& peer, const Error& why) override;
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override;
    void on_drained(const NodeId& peer) override;
    void await_hang_up();
    void take_list(const committee::DirectoryList& list);
    void tell_directory();
    Time next_timer() const;
    void on_timer();
    std::vector<Endpoint> resolve(const NodeId& id) const;

    config::CommonConfig config_;
    NodeKind kind_;
    HomeLock lock_;
    boost::asio::io_context context_{1};
    SystemClock clock_;
    crypto::SystemRandom random_;
    crypto::NodeKeys keys_;
    committee::Genesis genesis_;
    std::unique_ptr<adapters::LinkManager> links_;
    std::unique_ptr<committee::DirectoryClient> directory_;
    Endpoint listened_;                    // where links are accepted
    std::unique_ptr<OwnAddress> address_;  // that others are told
    std::optional<committee::NodeDescriptor> described_;
    RoleEvents* role_ = nullptr;
    std::unordered_map<NodeId, std::vector<Endpoint>, IdHash> addresses_;
    KeptList kept_list_;
    DirectoryJournal journal_;
    Alarm alarm_;
    bool rearm_posted_ = false;
    // Caught from the first moment on: a hang-up never ends a node.
    boost::asio::signal_set hang_up_{context_, SIGHUP};
    std::function<void()> on_hang_up_;
};

}  // namespace planetserve::roles
