#include "apps/directory_view.h"

namespace planetserve::apps {

node::DirectoryView view_of(const std::map<NodeId, committee::Entry>& entries,
                            const std::optional<committee::Reputations>& reputations, const NodeId& self) {
    node::DirectoryView view;
    std::vector<onion::RelayInfo> relays;
    for (const auto& [id, entry] : entries) {
        if (!entry.descriptor) continue;
        const auto& descriptor = *entry.descriptor;
        if (descriptor.role == wire::Role::user && id != self)
            relays.push_back({id, descriptor.onion_key, descriptor.operator_name});
        if (descriptor.role != wire::Role::model) continue;
        node::ModelNodeInfo info{id,
                                 descriptor.onion_key,
                                 {},
                                 descriptor.capacity,
                                 entry.load.running,
                                 entry.load.queued,
                                 is_trusted(reputations, id),
                                 reputation_of(reputations, id)};
        for (const auto& model : descriptor.models) info.models.push_back(model.name);
        view.models.push_back(std::move(info));
    }
    view.relays = std::move(relays);
    return view;
}

verification::Millionths reputation_of(const std::optional<committee::Reputations>& reputations, const NodeId& node) {
    return reputations ? reputations->of(node) : unverified_reputation;
}

bool is_trusted(const std::optional<committee::Reputations>& reputations, const NodeId& node) {
    return !reputations || reputations->trusted(node);
}

}  // namespace planetserve::apps
