// The keys of the leaves of the verification state.
#pragma once

#include "base/ids.h"

namespace planetserve::verification {

inline Bytes leaf_key(std::string_view name) { return to_bytes("verification/" + std::string(name)); }
inline Bytes leaf_key(std::string_view kind, const NodeId& id) {
    Bytes key = leaf_key(std::string(kind) + "/");
    append(key, id.bytes());
    return key;
}

}  // namespace planetserve::verification
