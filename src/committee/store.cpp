#include "committee/store.h"

namespace planetserve::committee {

Status restore_from(Store& store, const wire::NetworkId& network, Registry& registry) {
    auto stored = store.load(network);
    if (!stored) return std::unexpected(stored.error());
    if (!*stored) return {};
    if (auto restored = registry.restore((*stored)->entries, (*stored)->height, (*stored)->time); !restored)
        return restored;
    if (registry.app_hash() != (*stored)->app_hash)
        return fail(ErrorCode::malformed,
                    "the stored registry does not have the hash that was stored with it; move it away to begin anew "
                    "(nodes register again by themselves)");
    return {};
}

}  // namespace planetserve::committee
