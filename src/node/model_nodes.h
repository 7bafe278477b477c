// The model nodes as this user node sees them: what the directory lists, which of them served a conversation or took a
// request before, and how many of this user's requests each has. Pure; not thread-safe.
#pragma once

#include "inference/service.h"
#include "node/model_choice.h"

namespace planetserve::node {

class ModelNodes {
public:
    // The random source outlives it.
    explicit ModelNodes(Random& random) : random_(random) {}

    void update(DirectoryView view) { directory_ = std::move(view); }
    const DirectoryView& directory() const { return directory_; }
    // Null when the node is not listed.
    const ModelNodeInfo* find(const NodeId& id) const { return find_model_node(directory_, id); }

    // The node for a request: the one it names and no other, else the preferred one, else the least loaded. None of
    // those excluded; null when no node qualifies.
    const ModelNodeInfo* choose(const inference::Request& request, const std::vector<crypto::Digest>& conversation,
                                const std::set<NodeId>& excluded) const;
    // The node that took this very request before, else the one that served its conversation.
    std::optional<NodeId> preferred(const IdempotencyId& request,
                                    const std::vector<crypto::Digest>& conversation) const;

    // The node was given the request; a retry goes there too.
    void note_given(const IdempotencyId& request, const NodeId& node);
    // The node answered a conversation; its next request goes there too.
    void note_answered(const std::vector<crypto::Digest>& conversation, const NodeId& node);

    // One more, or one less, of this user's requests is at the node.
    void enter(const NodeId& node) { ++under_way_[node]; }
    void leave(const NodeId& node);

private:
    Random& random_;
    DirectoryView directory_;
    Conversations conversations_;
    Conversations given_;                        // requests by a digest of their ids
    std::map<NodeId, std::uint32_t> under_way_;  // own requests at each model node
};

}  // namespace planetserve::node
