// The relays of one directory list: shared and never changed, so a process holds it once for all its users.
//
// Copies are cheap and share the list. Thread-safe: it is only read.
#pragma once

#include <memory>
#include <vector>

#include "base/ids.h"
#include "crypto/agreement.h"

namespace planetserve::onion {

// A relay as the directory describes it.
struct RelayInfo {
    NodeId id;
    crypto::AgreementPublicKey onion_key;
    // Relays that it names as of its operator.
    std::vector<NodeId> family = {};
};

class RelayList {
public:
    RelayList() = default;
    // Sorts the relays by id; of two with one id it keeps the first.
    RelayList(std::vector<RelayInfo> relays);

    std::size_t size() const { return all().size(); }
    bool empty() const { return all().empty(); }
    const RelayInfo& operator[](std::size_t place) const { return all()[place]; }
    auto begin() const { return all().begin(); }
    auto end() const { return all().end(); }
    // Null when it is not in the list. Takes the logarithm of the size.
    const RelayInfo* find(const NodeId& id) const;
    bool contains(const NodeId& id) const { return find(id) != nullptr; }
    // Whether each of the two names the other as of its operator: such relays never share a path. What one says alone
    // does not count, or it could keep others' relays out of the paths that it is in.
    static bool related(const RelayInfo& one, const RelayInfo& other);

private:
    const std::vector<RelayInfo>& all() const;

    std::shared_ptr<const std::vector<RelayInfo>> relays_;
};

}  // namespace planetserve::onion
