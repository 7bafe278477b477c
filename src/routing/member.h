// One model node as a member of its model's group: what it tells the others, what it knows of them, and where it sends
// a prompt (docs/protocols/routing.md).
//
// Joins the parts of this folder: its engine's mirror and its publisher, the replica and the tree of what the others
// hold, the sentry and the agreement on an array, the group's key, and the decision. Pure: messages, prompts, lists of
// peers and the time go in, messages go out. Not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "routing/array_agreement.h"
#include "routing/block_table.h"
#include "routing/decide.h"
#include "routing/group_key.h"
#include "routing/publisher.h"
#include "routing/replica.h"
#include "routing/sentry.h"

namespace planetserve::routing {

struct MemberOptions {
    HashWidth width = default_width;
    // The array that every member starts with.
    ChunkLengths array;
    Parameters decision;
    SentryParameters sentry;
    // Without it the array stays what it is. Off: where many parts are about as common as is needed, arrays change
    // often and cut coarsely, which costs more than it brings (docs/evaluation.md, "Additions").
    bool adapt_array = false;
    // A prompt of which a part is being computed for another has to compute it, too: it counts as not cached in what
    // on_started expects, and so in the load that is told.
    bool count_computing = true;
    TreeLimits tree;
    PublisherLimits publisher;
    // What the engine's KV cache holds, in bytes of canonical serialisation and in entries.
    std::uint64_t cache_bytes = 64 << 20;
    std::size_t cache_entries = 1 << 20;
    // The engine tells what its cache holds (on_cache_event); else that is a guess, which its reports correct.
    bool follow_cache = false;
    BlockTableLimits blocks;
    // A prompt that ended is compared with what the engine told of its blocks so long afterwards: events are on their
    // own way.
    Duration settle_after = 1s;
    std::size_t settling = 256;  // prompts at once; the oldest is compared earlier
    // Between two deltas; an urgent change of load goes out sooner, but no sooner than urgent_pause after the last one.
    Duration sync_period = 5s;
    Duration urgent_pause = 100ms;
    // A peer gets requests once it has been listed so long, since users have to know it to read its answers.
    Duration listed_for = 10s;
    // A peer that was not heard for so many periods gets none.
    std::uint32_t silent_periods = 3;
    // Of a prompt, until the engine's counts are known.
    double bytes_per_token = 4;
};

// What a member knows of another from the directory.
struct Peer {
    NodeId id;
    Trust trust = Trust::trusted;
};

class MemberOutput {
public:
    virtual ~MemberOutput() = default;
    // Best effort; what is lost is repaired.
    virtual void send_sync(const NodeId& peer, ByteView message) = 0;
};

struct Placement {
    NodeId node;
    Reason reason = Reason::no_hit;
    // What the chosen node is thought to hold of the prompt, and the most that any node of the group does.
    std::uint64_t cached_tokens = 0;
    std::uint64_t best_cached_tokens = 0;
    std::uint64_t prompt_tokens = 0;
};

struct MemberCounters {
    std::uint64_t messages_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t refused = 0;      // messages that broke the protocol
    std::uint64_t corrections = 0;  // of the mirror, by what the engine reported
    std::uint64_t rekeyed = 0;
    std::uint64_t withdrawn = 0;  // levels that the engine's events took out
    std::uint64_t settled = 0;    // prompts compared with what the engine told
    std::uint64_t unmatched = 0;  // of those, not even the first block was held
};

inline constexpr std::size_t maximum_member_message = maximum_sync_message + 16;

class Member {
public:
    // The random source and the output outlive the member. The incarnation grows with each start of the process
    // (milliseconds since 1970).
    Member(const NodeId& self, MemberOptions options, Incarnation incarnation, Random& random, MemberOutput& output);

    // All other members by the directory, and whether this node is trusted. Who is no longer there is forgotten.
    void set_peers(const std::vector<Peer>& peers, Trust own_trust, Time now);
    // A peer whose link is lost gets nothing until it is heard again.
    void on_link_down(const NodeId& peer);
    void on_message(const NodeId& from, ByteView message, Time now);
    void on_timer(Time now);
    Time next_timer() const;
    // Tells the others that this node ends.
    void leave();

    // Where a prompt that came in here goes: this node, or one of the others that is not excluded. Nobody is excluded
    // when a request is placed for the first time: then the sentry sees it.
    Placement place(ByteView prompt, const std::set<NodeId>& excluded, Time now);
    // It was sent there.
    void on_forwarded(const Placement& placement, Time now);

    // This node's engine begins with a prompt, wherever it came in: from now on its prefix is expected here.
    struct Started {
        std::uint64_t number = 0;
        // Thought to be cached by now: without what prompts before it are still being computed for.
        std::uint64_t expected_tokens = 0;
    };
    Started on_started(ByteView prompt);
    // Its prompt is computed, or will not be: of each that started, before on_finished.
    void on_computed(std::uint64_t number);
    // It is done: with the answer that follows the prompt in the canonical serialisation, and what the engine says of
    // the prompt, if it does. A cache that held less than was thought corrects the mirror.
    struct Report {
        std::uint64_t prompt_tokens = 0;
        std::uint64_t cached_tokens = 0;
        std::uint64_t expected_tokens = 0;  // as on_started said
    };
    void on_finished(ByteView prompt, ByteView prompt_and_answer, const std::optional<Report>& report);
    // The engine lost what it had.
    void on_engine_restart();

    // Where the engine's cache is followed (MemberOptions::follow_cache):
    // What the tokens of a prompt are that is done, or was given up. From now on its levels go when their blocks do,
    // and those whose blocks the engine does not hold are taken out. Weights say how much of the prompt a token stands
    // for (as many as tokens, or none).
    void on_prompt_tokens(ByteView prompt, std::span<const std::uint32_t> tokens,
                          std::span<const std::uint32_t> weights, Time now);
    void on_cache_event(const CacheEvent& event);
    // What the engine told is void: events were lost, or it began anew. Nothing is said to be held. Complete: what
    // follows is all that its cache holds.
    void on_cache_unknown(bool complete);
    const BlockTable& blocks() const { return blocks_; }

    void set_load(const LoadReport& load, Time now);

    // How much of a prompt a node is thought to hold, in tokens.
    std::uint64_t cached_tokens(const NodeId& node, ByteView prompt);

    // For status pages, tests and experiments.
    struct PeerStatus {
        NodeId id;
        bool current = false;  // every change it told is in the tree
        bool same_key = false;
        std::size_t prefixes = 0;
        LoadReport load;
    };
    std::vector<PeerStatus> peers() const;
    std::size_t own_prefixes() const { return mirror_.entries(); }
    std::size_t tree_prefixes() const { return tree_.prefixes(); }
    HrTree::Content own_content() const { return {mirror_.entries(), mirror_.key_sum()}; }
    const ChunkLengths& array() const { return agreement_.current(); }
    const MemberCounters& counters() const { return counters_; }
    std::uint64_t tokens_of(std::size_t bytes) const {
        return static_cast<std::uint64_t>(static_cast<double>(bytes) / bytes_per_token_ + 0.5);
    }

private:
    static constexpr HolderIndex self_index = 0;
    struct Known {
        HolderIndex index = 0;
        Trust trust = Trust::trusted;
        Time listed_at;
        bool reachable = false;  // heard since its link was last lost
        std::optional<Time> offered_at;
        InFlight in_flight;
    };
    // What the prompt's levels are under one array.
    struct Hashed {
        std::span<const ChunkHash> hashes;
        PrefixKey root;
        const ChunkHasher* hasher = nullptr;
    };

    void start_over(Incarnation incarnation);
    void make_hasher();
    void broadcast_deltas(Time now);
    void send(const NodeId& peer, ByteView message);
    void send_sync(const NodeId& peer, const Bytes& message);
    void offer_key(const NodeId& peer, Known& known, std::optional<Time> now);
    void consider_keys();
    void consider_array();
    void on_sync(const NodeId& from, Known& known, ByteView message, Time now);
    void apply_own(CacheMirror::Changes&& changes);
    void use(ByteView prompt);
    std::vector<std::uint32_t> sizes_of(const ChunkHasher& hasher, std::size_t levels) const;
    // Bytes of the prompt that each holder has, by index, under the current array and those before.
    void held_bytes(ByteView prompt, std::map<HolderIndex, std::pair<std::uint32_t, std::size_t>>& held);
    // Bytes of the prompt that this node's engine has computed.
    std::size_t ready_bytes(ByteView prompt);
    bool usable(const Known& known, Time now) const;
    void forget_cache();
    void take_out(std::span<const PrefixKey> lost);
    void settle_oldest();

    NodeId self_;
    MemberOptions options_;
    Incarnation incarnation_;
    Random& random_;
    MemberOutput& output_;

    GroupKeyAgreement keys_;
    ArrayAgreement agreement_;
    std::unique_ptr<ChunkHasher> hasher_;
    std::vector<std::unique_ptr<ChunkHasher>> former_hashers_;  // newest first
    std::unique_ptr<Sentry> sentry_;
    HrTree tree_;
    CacheMirror mirror_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<Replica> replica_;

    std::map<NodeId, Known> peers_;
    std::vector<HolderIndex> free_indices_;
    HolderIndex next_index_ = 1;
    Trust own_trust_ = Trust::trusted;
    LoadReport own_load_;
    double bytes_per_token_;
    Time next_sync_{};
    Time next_repair_{};
    std::optional<Time> synced_at_;
    MemberCounters counters_;
    std::vector<Match> matches_;
    // Prefixes that the engine is computing, and by whose prompt.
    std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> computing_by_;
    std::unordered_set<std::uint64_t> computing_;
    std::uint64_t started_ = 0;

    // A prompt of which the blocks are still to be looked at.
    struct Settling {
        Time due;
        PrefixKey root;
        std::vector<ChunkHash> hashes;
        std::vector<std::uint32_t> sizes;  // bytes, by level
        std::vector<std::uint32_t> needs;  // tokens, by level
        std::vector<std::uint32_t> tokens;
    };
    BlockTable blocks_;
    std::deque<Settling> settling_;
};

}  // namespace planetserve::routing
