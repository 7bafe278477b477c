// A node's side of the directory: registers the node, keeps its lease, and keeps a checked list
// (docs/protocols/registry.md).
//
// Pure: answers, losses of links and the time go in; calls go out through the FrameSender. Trusts nothing but the
// genesis. While no verification node answers, the list in hand stays in use. Not thread-safe.
#pragma once

#include <functional>
#include <memory>

#include "committee/header_verifier.h"
#include "committee/registry.h"
#include "committee/state_header.h"
#include "wire/frame.h"

namespace planetserve::committee {

struct DirectoryClientOptions {
    Duration refresh = 3s;  // of the list, while it is small
    // A large list that changed is fetched again no sooner than this rate allows.
    std::size_t list_bytes_per_second = 256 << 10;
    Duration call_deadline = 5s;
    Duration fetch_deadline = 60s;  // of all parts of a list
    Duration retry_first = 250ms;   // after a failure; doubles
    Duration retry_most = 5s;
    std::chrono::milliseconds maximum_age = std::chrono::minutes(5);  // of a list's header when it is taken
};

struct DirectoryList {
    StateHeader header;
    std::map<NodeId, Entry> entries;
    std::optional<Reputations> reputations = std::nullopt;  // where model nodes are verified
};

class DirectoryClient {
public:
    using OnList = std::function<void(const DirectoryList&)>;
    using ReadLoad = std::function<Load()>;

    // on_list is called with each new list, from within the calls below. read_load gives what a renewal says.
    DirectoryClient(const Genesis& genesis, const crypto::Identity& identity, DirectoryClientOptions options,
                    wire::FrameSender& sender, Random& random, const Clock& clock, OnList on_list, ReadLoad read_load);

    // What to register as; call it again when it changes. Without it the client only reads.
    void set_descriptor(NodeDescriptor descriptor);
    // Adopts a list kept on disk, however old. Fails unless it was signed for this network. REQUIRES: no list yet.
    Status adopt(ByteView kept);
    // What to keep on disk; empty without a list.
    Bytes keep() const;

    void on_response(const NodeId& from, ByteView payload);
    void on_link_down(const NodeId& peer);
    void on_timer();
    Time next_timer() const { return std::min(fetch_.next, registration_.next); }
    // Tells the directory that the node leaves, best effort; it registers again with the next descriptor.
    void leave();

    const std::optional<DirectoryList>& list() const { return list_; }
    bool registered() const { return registered_; }
    // Why this node is not registered or the list is not current, in words; empty while all is well.
    const std::string& problem() const {
        return registration_.problem.empty() ? fetch_.problem : registration_.problem;
    }
    // What went wrong last and with which verification node, in words; kept when all is well again.
    const std::string& last_failure() const { return last_failure_; }
    std::uint64_t failures() const { return failures_; }
    // Since when the list in hand has not been confirmed by the validators; nothing without a list.
    std::optional<std::chrono::milliseconds> list_age() const;
    // Addresses of verification nodes, from the genesis.
    std::optional<Endpoint> validator_address(const NodeId& id) const;

private:
    // One kind of call, of which one is under way at a time.
    struct Task {
        Time next{};
        std::optional<std::uint64_t> call;  // under way
        NodeId validator;
        Duration retry{};
        std::string problem;
    };

    void call(Task& task, ByteView body);
    void fail_task(Task& task, const std::string& why);
    void succeed(Task& task, Duration next);
    void fetch();
    void submit();
    void on_fetch_answer(ByteView body);
    void take_part(StateHeader header, std::uint64_t total, std::uint64_t offset, ByteView bytes);
    void take_current(StateHeader header);
    Duration refresh() const;
    void on_submit_answer(ByteView body);
    Status take_list(StateHeader header, Bytes state);
    Status check_header(const StateHeader& header);
    Status check_descriptors(const ParsedState& state) const;
    void notice_lost_registration();

    Genesis genesis_;
    wire::NetworkId network_;
    HeaderVerifier verifier_;
    crypto::Identity identity_;
    DirectoryClientOptions options_;
    wire::FrameSender& sender_;
    Random& random_;
    const Clock& clock_;
    OnList on_list_;
    ReadLoad read_load_;

    std::optional<NodeDescriptor> descriptor_;
    bool registered_ = false;
    std::uint64_t last_sequence_ = 0;
    std::uint64_t registered_sequence_ = 0;  // of the registration that was taken last
    std::optional<DirectoryList> list_;
    Bytes state_;  // of list_, serialised
    // The list that is being fetched: its header, checked, and its bytes so far.
    std::optional<StateHeader> fetching_;
    Bytes parts_;
    Time fetch_began_{};
    Task fetch_;
    Task registration_;
    std::size_t validator_ = 0;
    std::uint64_t next_call_ = 1;
    std::string last_failure_;
    std::uint64_t failures_ = 0;
};

}  // namespace planetserve::committee
