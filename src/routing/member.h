// One model node as a member of its model's group: what it tells the others, what it knows of them, and where it
// forwards a prompt (docs/protocols/routing.md).
//
// Combines the parts of this folder: the mirror of its own engine and the publisher, the replica and the tree of the
// others' prefixes, the sentry and the agreement on an array, the group's key, and the decision. Pure: messages,
// prompts, lists of peers and the time go in, messages go out. Not thread-safe.
#pragma once

#include <cmath>
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
    // The array with which every member starts.
    ChunkLengths array;
    Parameters decision;
    SentryParameters sentry;
    // Whether the group may change the array. Off by default: if many parts are barely common enough, arrays change
    // often and cut coarsely, which costs more than it gains (docs/evaluation.md, "ablation").
    bool adapt_array = false;
    // The engine must compute a part of a prompt again while it is still computing that part for another prompt. So
    // on_started, and with it the reported load, counts such a part as not cached.
    bool count_computing = true;
    TreeLimits tree;
    PublisherLimits publisher;
    // The capacity of the engine's KV cache, in bytes of canonical serialisation and in entries.
    std::uint64_t cache_bytes = 64 << 20;
    std::size_t cache_entries = 1 << 20;
    // The engine reports what its cache holds (on_cache_event). Otherwise the mirror guesses, and on_finished corrects
    // it.
    bool follow_cache = false;
    BlockTableLimits blocks;
    // How long after the end of a prompt the member compares it with the engine's blocks. Events arrive on their own,
    // perhaps later than the answer.
    Duration settle_after = 1s;
    std::size_t settling = 256;  // how many prompts wait for that; beyond this the oldest is compared at once
    // The time between two deltas. An urgent change of load goes out sooner, but at least urgent_pause after the last
    // one.
    Duration sync_period = 5s;
    Duration urgent_pause = 100ms;
    // A peer gets requests after the list has had it for this long, because users must know it to read its answers.
    Duration listed_for = 10s;
    // A peer that sent nothing for this many sync periods gets no requests.
    std::uint32_t silent_periods = 3;
    // An estimate for prompts, until the engine reports counts.
    double bytes_per_token = 4;
};

// What the directory says about another member.
struct Peer {
    NodeId id;
    Trust trust = Trust::trusted;
};

class MemberOutput {
public:
    virtual ~MemberOutput() = default;
    // Best effort: the sync repairs losses.
    virtual void send_sync(const NodeId& peer, ByteView message) = 0;
};

struct Placement {
    NodeId node;
    Reason reason = Reason::no_hit;
    // How much of the prompt the chosen node holds, by the tree, and the most that any candidate holds.
    std::uint64_t cached_tokens = 0;
    std::uint64_t best_cached_tokens = 0;
    std::uint64_t prompt_tokens = 0;
};

struct MemberCounters {
    std::uint64_t messages_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t refused = 0;      // messages from peers that broke the protocol
    std::uint64_t corrections = 0;  // of the mirror, by the engine's counts or events
    std::uint64_t rekeyed = 0;      // changes of the group's key
    std::uint64_t withdrawn = 0;    // levels that the engine's events removed
    std::uint64_t settled = 0;      // prompts compared with the engine's events
    std::uint64_t unmatched = 0;    // of those, prompts of which the engine did not hold even the first block
};

inline constexpr std::size_t maximum_member_message = maximum_sync_message + 16;

class Member {
public:
    // The random source and the output must outlive the member. The incarnation must grow with each start of the
    // process (milliseconds since 1970).
    Member(const NodeId& self, MemberOptions options, Incarnation incarnation, Random& random, MemberOutput& output);

    // All members by the directory, and whether this node is trusted. Forgets peers that are no longer among them.
    void set_peers(const std::vector<Peer>& peers, Trust own_trust, Time now);
    // The link to a peer is lost. The peer gets no requests until it sends something again.
    void on_link_down(const NodeId& peer);
    void on_message(const NodeId& from, ByteView message, Time now);
    void on_timer(Time now);
    Time next_timer() const;
    // Tells the others that this node leaves the group.
    void leave();

    // Where a prompt that arrived here goes: to a node that is not excluded, or to this node if no trusted one is left.
    // Exclude nobody when you place a request for the first time; only then the sentry sees it. Shunned peers get
    // nothing either: they did not answer earlier requests.
    Placement place(ByteView prompt, const std::set<NodeId>& excluded, Time now, const std::set<NodeId>& shunned = {});
    // The caller has forwarded the request as placed.
    void on_forwarded(const Placement& placement, Time now);

    // This node's engine starts a prompt, whichever node it entered by. From now on its prefix counts as held here.
    struct Started {
        std::uint64_t number = 0;
        // Tokens that should be cached by now. Tokens that are still being computed for other prompts do not count.
        std::uint64_t expected_tokens = 0;
    };
    Started on_started(ByteView prompt);
    // The prompt is computed, or never will be. Call it for each started prompt, before on_finished.
    void on_computed(std::uint64_t number);
    // The request is done. prompt_and_answer: the canonical serialisation of both. report: the engine's counts, if it
    // gives any. If its cache held less than expected, this corrects the mirror.
    struct Report {
        std::uint64_t prompt_tokens = 0;
        std::uint64_t cached_tokens = 0;
        std::uint64_t expected_tokens = 0;  // from on_started
    };
    void on_finished(ByteView prompt, ByteView prompt_and_answer, const std::optional<Report>& report);
    // The engine restarted with an empty cache.
    void on_engine_restart();

    // The next three do nothing without MemberOptions::follow_cache.

    // The tokens of a prompt that is done or cancelled. After settle_after the member removes the levels whose blocks
    // the engine does not hold; the other levels go when their blocks go. weights: how much of the prompt each token
    // stands for (as many as tokens, or none).
    void on_prompt_tokens(ByteView prompt, std::span<const std::uint32_t> tokens,
                          std::span<const std::uint32_t> weights, Time now);
    void on_cache_event(const CacheEvent& event);
    // Earlier events are void: some were lost, or the engine restarted. The node now tells the others that it holds
    // nothing. complete: the following events describe the whole cache.
    void on_cache_unknown(bool complete);
    const BlockTable& blocks() const { return blocks_; }

    void set_load(const LoadReport& load, Time now);

    // How much of a prompt a node holds, by the tree, in tokens.
    std::uint64_t cached_tokens(const NodeId& node, ByteView prompt);

    // For status pages, tests and experiments.
    struct PeerStatus {
        NodeId id;
        bool current = false;  // reachable, and the tree has all its changes
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
        return static_cast<std::uint64_t>(std::llround(static_cast<double>(bytes) / bytes_per_token_));
    }

private:
    static constexpr HolderIndex self_index = 0;
    struct Known {
        HolderIndex index = 0;
        Trust trust = Trust::trusted;
        Time listed_at;
        bool reachable = false;  // heard since its link was last lost or it left
        std::optional<Time> offered_at;
        InFlight in_flight;
    };
    // The levels of a prompt under one array.
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
    // How much of the prompt each holder has, by the current array or a former one: levels and bytes, by index.
    void held_bytes(ByteView prompt, std::map<HolderIndex, std::pair<std::uint32_t, std::size_t>>& held);
    // How many bytes of the prompt this node's engine has computed.
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
    // The prefixes that the engine is computing, by prompt and all together.
    std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> computing_by_;
    std::unordered_set<std::uint64_t> computing_;
    std::uint64_t started_ = 0;

    // A prompt that the member has yet to compare with the engine's blocks.
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
