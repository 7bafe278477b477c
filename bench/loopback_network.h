// A network for benchmarks: relays, a model node with an echo engine and a plain forwarder, each a process of its own
// with real links over the loopback. There is no directory: every process is told every address. The user runs in the
// benchmark's own process (LocalNode), where events can be timed.
//
// Make the network before anything else: the processes are forks.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "adapters/links/link_manager.h"
#include "crypto/agreement.h"
#include "crypto/system_random.h"

namespace planetserve::bench {

// What the benchmark asks a process over a link, in a call_request after the call's id: a byte, then
//   use     -                         answers seconds of CPU (as nanoseconds, 8 bytes), bytes sent (8)
//   echo    any bytes                 answers the same bytes
//   pour    total (8), piece (4)      answers many frames of that size, a megabyte ahead of what is taken
//   taken   bytes (8)                 what the pouring side may count as arrived
enum class Call : std::uint8_t { use = 1, echo, pour, taken };

// Sends call_response frames to one peer as fast as it takes them. The window is that of a reply over the overlay.
class Pourer {
public:
    void start(std::uint64_t total, std::size_t piece);
    void taken(std::uint64_t bytes) { taken_ += bytes; }
    void pour(wire::FrameSender& sender, const NodeId& to);

private:
    Bytes piece_;
    std::uint64_t left_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t taken_ = 0;
};

struct NodePlace {
    NodeId id;
    crypto::AgreementPublicKey onion_key;
    Endpoint endpoint;
};

struct Use {
    double cpu_seconds = 0;
    double bytes_sent = 0;
};
// CPU seconds for each 100 MB that were sent between two readings.
double cpu_per_100_mb(const std::vector<Use>& before, const std::vector<Use>& after);
double process_cpu_seconds();

class LoopbackNetwork {
public:
    // Returns when all processes listen. Throws std::runtime_error when they do not.
    explicit LoopbackNetwork(std::size_t relays);
    ~LoopbackNetwork();
    LoopbackNetwork(const LoopbackNetwork&) = delete;
    LoopbackNetwork& operator=(const LoopbackNetwork&) = delete;

    const std::vector<NodePlace>& relays() const { return relays_; }
    // Serves the model "echo": POST to "/v1/echo/N" is answered by N bytes.
    const NodePlace& model() const { return model_; }
    // Passes call frames on to the model node and back.
    const NodePlace& forwarder() const { return forwarder_; }
    std::vector<Endpoint> find(const NodeId& id) const;

private:
    struct Child {
        pid_t pid = 0;
        int to = -1;
        int from = -1;
    };
    std::vector<Child> children_;
    std::vector<NodePlace> relays_;
    NodePlace model_;
    NodePlace forwarder_;
};

// The benchmark's own node: its links, and a loop that is run until something has happened.
class LocalNode : private adapters::LinkEvents {
public:
    using OnFrame = std::function<void(const NodeId&, wire::FrameType, MutableByteView)>;

    explicit LocalNode(const LoopbackNetwork& network);
    ~LocalNode() override;

    const NodeId& id() const { return identity_.id(); }
    const crypto::Identity& identity() const { return identity_; }
    adapters::LinkManager& links() { return *links_; }
    Random& random() { return random_; }
    const Clock& clock() const { return clock_; }

    // Frames other than answers to calls, and a tick every 20 ms.
    void on_frame(OnFrame handler) { handler_ = std::move(handler); }
    void on_tick(std::function<void()> handler) { tick_ = std::move(handler); }

    // Handles events until the condition holds; throws std::runtime_error, naming what was waited for, when it does
    // not within the deadline.
    void run_until(const std::function<bool()>& condition, const char* what,
                   std::chrono::seconds deadline = std::chrono::seconds(30));

    // Calls, one at a time.
    Bytes call(const NodeId& to, Call call, ByteView content, const char* what);
    Use use(const NodeId& of);
    std::vector<Use> use(const std::vector<NodePlace>& of);
    // Has the bytes poured by the node in frames of that size; returns the seconds it took.
    double pour(const NodeId& from, std::uint64_t bytes, std::size_t piece);

private:
    void on_link_up(const NodeId&, const wire::Hello&) override {}
    void on_link_down(const NodeId& peer, const Error& why) override;
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override;
    void on_drained(const NodeId&) override {}
    void arm();

    boost::asio::io_context context_{1};
    crypto::SystemRandom random_;
    SystemClock clock_;
    crypto::Identity identity_;
    boost::asio::steady_timer timer_{context_};
    OnFrame handler_;
    std::function<void()> tick_;
    std::function<void(const NodeId&, ByteView)> on_answer_;
    std::unique_ptr<adapters::LinkManager> links_;
};

}  // namespace planetserve::bench
