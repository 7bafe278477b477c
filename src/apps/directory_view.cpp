#include "apps/directory_view.h"

namespace planetserve::apps {

node::DirectoryView view_of(const committee::DirectoryList& list, const NodeId& self) {
    node::DirectoryView view;
    std::vector<onion::RelayInfo> relays;
    for (const auto& [id, entry] : list.entries) {
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
                                 is_trusted(list, id),
                                 reputation_of(list, id)};
        for (const auto& model : descriptor.models) info.models.push_back(model.name);
        view.models.push_back(std::move(info));
    }
    view.relays = std::move(relays);
    return view;
}

verification::Millionths reputation_of(const committee::DirectoryList& list, const NodeId& node) {
    return list.reputations ? list.reputations->of(node) : unverified_reputation;
}

bool is_trusted(const committee::DirectoryList& list, const NodeId& node) {
    return !list.reputations || list.reputations->trusted(node);
}

}  // namespace planetserve::apps
