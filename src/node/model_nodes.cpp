#include "node/model_nodes.h"

#include <algorithm>

namespace planetserve::node {

void ModelNodes::update(DirectoryView view, Time now) {
    directory_ = std::move(view);
    for (const std::string& name : model_names(directory_)) listed_[name] = now;
    std::erase_if(listed_, [&](const auto& item) { return now - item.second >= remembered_for; });
}

Status ModelNodes::is_served(const std::string& model, Time now) const {
    Status served = node::is_served(directory_, model);
    if (served || served.error().code != ErrorCode::not_found) return served;
    auto listed = listed_.find(model);
    if (listed == listed_.end() || now - listed->second >= remembered_for) return served;
    return fail(ErrorCode::unavailable, "no node serves '" + model + "' at present, and some did " +
                                            std::to_string(static_cast<int>(to_seconds(now - listed->second))) +
                                            " s ago; try again shortly");
}

const ModelNodeInfo* ModelNodes::choose(const inference::Request& request,
                                        const std::vector<crypto::Digest>& conversation,
                                        const std::set<NodeId>& excluded, Time now) const {
    if (!request.node)
        return choose_model_node(directory_, request.model, excluded, {experience_, under_way_, now},
                                 preferred(request.id, conversation), random_);
    const ModelNodeInfo* node = find(*request.node);
    return node != nullptr && serves(*node, request.model) && !excluded.contains(node->id) ? node : nullptr;
}

std::optional<crypto::AgreementPublicKey> ModelNodes::key_of_server(const inference::Request& request,
                                                                    const NodeId& id) const {
    const ModelNodeInfo* node = find(id);
    if (node == nullptr || !serves(*node, request.model)) return std::nullopt;
    // A request may be for a node that nobody trusts, such as a challenge.
    if (request.node != id && !node->trusted) return std::nullopt;
    return node->onion_key;
}

std::optional<NodeId> ModelNodes::preferred(const IdempotencyId& request,
                                            const std::vector<crypto::Digest>& conversation) const {
    auto given = given_.find({crypto::sha256(request.bytes())});
    return given ? given : conversations_.find(conversation);
}

void ModelNodes::note_given(const IdempotencyId& request, const NodeId& node) {
    given_.served({crypto::sha256(request.bytes())}, node);
}

void ModelNodes::note_answered(const std::vector<crypto::Digest>& conversation, const Server& server,
                               const Experience::Delivery& delivery, Time now) {
    conversations_.served(conversation, server.node);
    experience_.delivered(server, delivery, now);
}

void ModelNodes::note_fault(const inference::Request& request, const std::vector<crypto::Digest>& conversation,
                            const NodeId& node, Fault fault, double weight, Time now) {
    const Server server{node, request.model};
    if (fault == Fault::late)
        experience_.late(server, weight, now);
    else
        experience_.failed(server, weight, now);
    conversations_.forget(conversation, node);
    given_.forget({crypto::sha256(request.id.bytes())}, node);
}

std::optional<Duration> ModelNodes::quickest_first_byte(const inference::Request& request, Time now) const {
    std::optional<Duration> quickest;
    for (const ModelNodeInfo& node : directory_.models) {
        if (!serves(node, request.model)) continue;
        auto took = experience_.first_byte({node.id, request.model}, request.body.size(), now);
        if (took && (!quickest || *took < *quickest)) quickest = took;
    }
    return quickest;
}

void ModelNodes::leave(const NodeId& node) {
    auto mine = under_way_.find(node);
    if (mine != under_way_.end() && --mine->second == 0) under_way_.erase(mine);
}

}  // namespace planetserve::node
