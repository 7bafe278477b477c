// The model nodes as this user node sees them: what the directory lists, which of them served a conversation or took a
// request before, how many of this user's requests each has, and how each did. Pure; not thread-safe.
#pragma once

#include "inference/service.h"
#include "node/model_choice.h"

namespace planetserve::node {

class ModelNodes {
public:
    // The random source outlives it.
    explicit ModelNodes(Random& random) : random_(random) {}

    void update(DirectoryView view, Time now);
    const DirectoryView& directory() const { return directory_; }
    // Null when the node is not listed.
    const ModelNodeInfo* find(const NodeId& id) const { return find_model_node(directory_, id); }

    // As is_served() of the list; but unavailable, so that clients try again, where the model was listed lately: its
    // engines may be restarting.
    Status is_served(const std::string& model, Time now) const;

    // The node for a request: the one it names and no other, else the preferred one, else one by model_choice.h. None
    // of those excluded; null when no node qualifies.
    const ModelNodeInfo* choose(const inference::Request& request, const std::vector<crypto::Digest>& conversation,
                                const std::set<NodeId>& excluded, Time now) const;
    // The onion key of a node that may have the request: a trusted one that serves its model, or the one that the
    // request names.
    std::optional<crypto::AgreementPublicKey> key_of_server(const inference::Request& request, const NodeId& id) const;
    // Whether its answer is taken: that of the named one alone, where the request names one.
    bool may_answer(const inference::Request& request, const NodeId& id) const {
        return (!request.node || *request.node == id) && key_of_server(request, id).has_value();
    }
    // The node that took this very request before, else the one that served its conversation.
    std::optional<NodeId> preferred(const IdempotencyId& request,
                                    const std::vector<crypto::Digest>& conversation) const;

    // The node was given the request; a retry goes there too.
    void note_given(const IdempotencyId& request, const NodeId& node);
    // The node answered a conversation; its next request goes there too.
    void note_answered(const std::vector<crypto::Digest>& conversation, const Server& server,
                       const Experience::Delivery& delivery, Time now);
    // The node failed the request, or let its user wait; the conversation is no longer its.
    enum class Fault { failed, late };
    void note_fault(const inference::Request& request, const std::vector<crypto::Digest>& conversation,
                    const NodeId& node, Fault fault, double weight, Time now);
    // Rather a failure than an answer is expected of the node.
    bool fails_mostly(const Server& server, Time now) const { return experience_.fails_mostly(server, now); }
    // The least time that a node which serves the model took for the first byte of an answer to so long a request.
    std::optional<Duration> quickest_first_byte(const inference::Request& request, Time now) const;
    const Experience& experience() const { return experience_; }

    // One more, or one less, of this user's requests is at the node.
    void enter(const NodeId& node) { ++under_way_[node]; }
    void leave(const NodeId& node);

private:
    static constexpr Duration remembered_for = 10min;

    Random& random_;
    std::map<std::string, Time> listed_;  // when each model was last in the list, of those that are remembered
    DirectoryView directory_;
    Experience experience_;
    Conversations conversations_;
    Conversations given_;                        // requests by a digest of their ids
    std::map<NodeId, std::uint32_t> under_way_;  // own requests at each model node
};

}  // namespace planetserve::node
