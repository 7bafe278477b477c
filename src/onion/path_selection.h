// Which relays a new path takes (docs/protocols/paths.md). Pure.
#pragma once

#include <set>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "onion/relay_list.h"
#include "onion/setup.h"

namespace planetserve::onion {

struct Selection {
    std::vector<SetupHop> hops;
    // True when there were too few relays for a path that shares none with the user's others.
    bool shares_relays = false;
};

// Picks a path of `length` relays: first an entry relay, the others at random, none twice, no two of one family, and
// none that is in `busy` (the user's other paths) as long as there are enough others. Relays in `failed` are avoided in
// the same way, `self` always. Fails with `unavailable`, saying how many relays there are and how many are needed.
// Where there are enough, the time does not grow with the list.
Result<Selection> select_path(const RelayList& relays, const NodeId& self, const std::vector<NodeId>& entries,
                              const std::set<NodeId>& busy, const std::set<NodeId>& failed, std::size_t length,
                              Random& random);

}  // namespace planetserve::onion
