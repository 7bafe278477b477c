#include "node/model_nodes.h"

#include <algorithm>

namespace planetserve::node {

const ModelNodeInfo* ModelNodes::choose(const inference::Request& request,
                                        const std::vector<crypto::Digest>& conversation,
                                        const std::set<NodeId>& excluded) const {
    if (!request.node)
        return choose_model_node(directory_, request.model, excluded, under_way_, preferred(request.id, conversation),
                                 random_);
    const ModelNodeInfo* node = find(*request.node);
    bool serves = node != nullptr && std::ranges::find(node->models, request.model) != node->models.end();
    return serves && !excluded.contains(node->id) ? node : nullptr;
}

std::optional<NodeId> ModelNodes::preferred(const IdempotencyId& request,
                                            const std::vector<crypto::Digest>& conversation) const {
    auto given = given_.find({crypto::sha256(request.bytes())});
    return given ? given : conversations_.find(conversation);
}

void ModelNodes::note_given(const IdempotencyId& request, const NodeId& node) {
    given_.served({crypto::sha256(request.bytes())}, node);
}

void ModelNodes::note_answered(const std::vector<crypto::Digest>& conversation, const NodeId& node) {
    conversations_.served(conversation, node);
}

void ModelNodes::leave(const NodeId& node) {
    auto mine = under_way_.find(node);
    if (mine != under_way_.end() && --mine->second == 0) under_way_.erase(mine);
}

}  // namespace planetserve::node
