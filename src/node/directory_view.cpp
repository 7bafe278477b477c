#include "node/directory_view.h"

namespace planetserve::node {

DirectoryView view_of(const std::map<NodeId, committee::Entry>& entries,
                      const std::optional<committee::Reputations>& reputations, const NodeId& self) {
    DirectoryView view;
    std::vector<onion::RelayInfo> relays;
    for (const auto& [id, entry] : entries) {
        if (!entry.descriptor) continue;
        const auto& descriptor = *entry.descriptor;
        if (descriptor.role == wire::Role::user && id != self)
            relays.push_back({id, descriptor.onion_key, descriptor.family});
        if (descriptor.role != wire::Role::model) continue;
        ModelNodeInfo info{id,
                           descriptor.onion_key,
                           {},
                           descriptor.capacity,
                           entry.load.running,
                           entry.load.queued,
                           committee::is_trusted(reputations, id),
                           {},
                           descriptor.operator_name};
        if (reputations) info.reputation = static_cast<std::uint32_t>(reputations->of(id));
        for (const auto& model : descriptor.models) info.models.push_back(model.name);
        view.models.push_back(std::move(info));
    }
    view.relays = std::move(relays);
    return view;
}

}  // namespace planetserve::node
