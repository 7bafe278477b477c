// A node's side of the directory: registers the node, renews its lease, and keeps a checked list of all nodes
// (docs/protocols/registry.md).
//
// Pure: answers, lost links and the time go in; calls go out through the FrameSender. While no verification node
// answers, the list in hand stays in use (held_list.h). Not thread-safe.
#pragma once

#include <functional>

#include "base/random.h"
#include "committee/held_list.h"
#include "wire/frame.h"

namespace planetserve::committee {

struct DirectoryClientOptions {
    Duration refresh = 3s;  // of the list, while it is small
    // A large list that changed is fetched again no sooner than this rate allows.
    std::size_t list_bytes_per_second = 256 << 10;
    // Whatever the genesis allows: a newcomer takes it from strangers. 100,000 nodes take some 40 MiB.
    std::uint64_t most_list_bytes = 128 << 20;
    Duration call_deadline = 5s;
    Duration fetch_deadline = 60s;  // of all parts of a list
    Duration retry_first = 250ms;   // after a failure; doubles
    Duration retry_most = 5s;
    // In the first time of a client, which may have started a moment before its verification node.
    Duration retry_most_at_start = 1s;
    Duration start = 60s;
    std::chrono::milliseconds maximum_age = std::chrono::minutes(5);  // of a list's header when it arrives
};

class DirectoryClient {
public:
    using OnList = std::function<void(const DirectoryList&)>;
    using ReadLoad = std::function<Load()>;

    // sender and random outlive the client. The client calls on_list with each new list, from within the calls below.
    // read_load: the load that a renewal reports.
    DirectoryClient(const Genesis& genesis, const crypto::Identity& identity, DirectoryClientOptions options,
                    wire::FrameSender& sender, Random& random, Now now, OnList on_list, ReadLoad read_load);

    // What to register as; call it again when it changes. Without it the client only reads.
    void set_descriptor(NodeDescriptor descriptor, Now now);
    // Adopts a list kept on disk, however old. Error: malformed, or not signed for this network.
    // Requires: no list yet.
    Status adopt(ByteView kept, Now now);
    // What to keep on disk; empty without a list.
    Bytes keep() const { return held_.keep(); }

    void on_response(const NodeId& from, ByteView payload, Now now);
    void on_link_down(const NodeId& peer, Now now);
    void on_timer(Now now);
    Time next_timer() const { return std::min(fetch_.task.next, registration_.task.next); }
    // Tells the directory that the node leaves, best effort. The next descriptor registers it again.
    void leave(Now now);

    const std::optional<DirectoryList>& list() const { return held_.list(); }
    bool registered() const { return registration_.registered; }
    // Why this node is not registered or the list is not current; empty while all is well.
    const std::string& problem() const {
        return registration_.task.problem.empty() ? fetch_.task.problem : registration_.task.problem;
    }
    // The last failure and its verification node; stays when all is well again.
    const std::string& last_failure() const { return last_failure_; }
    std::uint64_t failures() const { return failures_; }
    // Time since the validators last confirmed the list in hand; nothing without a list.
    std::optional<std::chrono::milliseconds> list_age(UnixTime now) const { return held_.age(now); }
    // Addresses of verification nodes, from the genesis.
    std::optional<Endpoint> validator_address(const NodeId& id) const;

private:
    // One kind of call. Only one call of a kind is under way at a time.
    struct Task {
        Time next{};                        // when to call, or the deadline of the call under way
        std::optional<std::uint64_t> call;  // under way
        NodeId validator;
        Duration retry{};
        std::string problem;
    };
    struct Fetch {
        Task task;
        std::optional<StateHeader> header;  // checked; of the list whose parts are being fetched
        Bytes parts;
        Time began{};
    };
    struct Registration {
        Task task;
        std::optional<NodeDescriptor> descriptor;
        bool registered = false;
        std::uint64_t last_sequence = 0;      // of any transaction
        std::uint64_t accepted_sequence = 0;  // of the last registration that the directory accepted
    };

    void call(Task& task, ByteView body, Now now);
    void fail_task(Task& task, const std::string& why, Now now);
    void succeed(Task& task, Duration next, Now now);
    void fetch(Now now);
    void submit(Now now);
    std::uint64_t next_sequence(Now now);
    void on_fetch_answer(ByteView body, Now now);
    void on_submit_answer(ByteView body, Now now);
    void take_part(StateHeader header, std::uint64_t total, std::uint64_t offset, ByteView bytes, Now now);
    void take_current(StateHeader header, Now now);
    void announce_list(Now now);
    void notice_lost_registration(Now now);
    Duration refresh() const;

    Genesis genesis_;
    wire::NetworkId network_;
    crypto::Identity identity_;
    DirectoryClientOptions options_;
    wire::FrameSender& sender_;
    Random& random_;
    OnList on_list_;
    ReadLoad read_load_;

    HeldList held_;
    Fetch fetch_;
    Registration registration_;
    Time began_;
    std::size_t validator_ = 0;  // the one to call next
    std::uint64_t next_call_ = 1;
    std::string last_failure_;
    std::uint64_t failures_ = 0;
};

}  // namespace planetserve::committee
