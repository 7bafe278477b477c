// A model node in the groups of the models it serves (docs/protocols/routing.md, docs/protocols/forwarding.md).
//
// Stands between the model side of exchanges and the engines. Before a request runs it says on which node it belongs
// (Forwarding). It observes what runs here (Service), so that the group learns what this engine's cache holds and how
// busy the engine is. Frames and lists of peers go in, frames go out. It reads the clock: callbacks of engines carry no
// time. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/time.h"
#include "exchange/model_side.h"
#include "inference/model_router.h"
#include "inference/prompt.h"
#include "inference/tokenizer.h"
#include "routing/member.h"

namespace planetserve::node {

struct ModelGroupOptions {
    std::uint32_t capacity = 4;  // requests at once
    // False: every request runs where it enters, and other nodes are told nothing.
    bool enabled = true;
    routing::MemberOptions member;
};

struct ModelGroupStatus {
    std::string model;
    std::uint64_t entered = 0;          // requests that entered here and could have been forwarded
    std::uint64_t forwarded = 0;        // of those, to others
    std::uint64_t run = 0;              // answers that began here, wherever the request entered
    std::uint64_t prompt_tokens = 0;    // of those, as the engine counted
    std::uint64_t cached_tokens = 0;    // of those, from its cache
    std::uint64_t expected_tokens = 0;  // as the tree predicted
    std::size_t own_prefixes = 0;
    std::size_t tree_prefixes = 0;
    std::uint32_t array_version = 0;
    routing::LoadReport load;
    routing::MemberCounters sync;
    std::vector<routing::Member::PeerStatus> peers;
    // Where the engine's cache is followed: blocks that it holds, of so many tokens.
    std::size_t blocks = 0;
    std::size_t block_tokens = 0;
    bool blocks_complete = false;
    routing::BlockTableCounters block_events;
};

class ModelGroups final : public exchange::Forwarding, public inference::Service {
public:
    using ReadStats = std::function<inference::RouterStats()>;

    // The engines, the sender, the random source and the clock outlive it, and it outlives the exchanges it started.
    // The incarnation grows with each start of the process (milliseconds since 1970).
    ModelGroups(const NodeId& self, inference::Service& engines, ReadStats stats, wire::FrameSender& sender,
                Random& random, const Clock& clock, routing::Incarnation incarnation);
    ~ModelGroups() override;

    // Called when an engine's callback may have moved next_timer() forward.
    void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }
    // Requires: the model has no group yet.
    void add(const std::string& model, ModelGroupOptions options);
    // All others that serve the model by the directory, and whether this node is trusted.
    void set_peers(const std::string& model, const std::vector<routing::Peer>& peers, routing::Trust own_trust);
    // The model's engine lost what it had cached.
    void on_engine_restart(const std::string& model);
    // For an engine whose cache is followed (routing::MemberOptions::follow_cache): the tokenizer turns prompts into
    // tokens; the events tell which blocks the engine holds (routing/member.h). The tokenizer lives until no more
    // requests start.
    void follow_cache(const std::string& model, inference::Tokenizer& tokenizer);
    void on_cache_events(const std::string& model, std::span<const routing::CacheEvent> events);
    void on_cache_unknown(const std::string& model, bool complete);
    // Tells the groups that this node ends.
    void leave();

    void on_sync(const NodeId& from, ByteView payload);
    void on_link_down(const NodeId& peer);
    void on_timer();
    Time next_timer() const;

    std::optional<NodeId> place(const inference::Request& request, const std::set<NodeId>& excluded, Time now) override;
    bool accepts_from(const NodeId& node, const std::string& model) override;
    void on_outcome(const std::string& model, const NodeId& node, const NodeId& via,
                    exchange::ForwardOutcome outcome) override;
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    std::vector<ModelGroupStatus> status() const;

private:
    class Group;
    class WatchedRun;
    struct SoughtTokens;

    Group* find(const std::string& model);
    // The request's canonical prompt; nothing where a request is not routed by its prompt.
    std::optional<Bytes> prompt_of(const inference::Request& request);
    void update_load(Group& group);

    NodeId self_;
    inference::Service& engines_;
    ReadStats stats_;
    wire::FrameSender& sender_;
    Random& random_;
    const Clock& clock_;
    routing::Incarnation incarnation_;
    std::function<void()> wake_ = [] {};
    std::map<std::string, std::unique_ptr<Group>> groups_;
    // Of the request that was placed last: most then run here at once.
    std::optional<std::pair<IdempotencyId, Bytes>> last_prompt_;
};

}  // namespace planetserve::node
