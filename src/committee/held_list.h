// The list of nodes that a directory client holds, and the checks that a new list passes before it takes its place.
//
// Trusts nothing but the genesis: validators with more than two thirds of the voting power sign each list, and each
// node signs its own descriptor. Not thread-safe.
#pragma once

#include <map>
#include <optional>

#include "committee/header_verifier.h"
#include "committee/registry.h"
#include "committee/state_header.h"

namespace planetserve::committee {

struct DirectoryList {
    StateHeader header;
    std::map<NodeId, Entry> entries;
    std::optional<Reputations> reputations = std::nullopt;  // where model nodes are verified
};

class HeldList {
public:
    // maximum_age: of a header when it arrives.
    HeldList(const Genesis& genesis, std::chrono::milliseconds maximum_age);

    const std::optional<DirectoryList>& list() const { return list_; }
    // Of the list, serialised; 0 without a list.
    std::size_t size() const { return state_.size(); }
    // Time since the validators last confirmed the list; nothing without a list.
    std::optional<std::chrono::milliseconds> age(UnixTime now) const;

    // Whether the validators signed this header, it is recent, and it does not contradict the held list.
    Status check_header(const StateHeader& header, UnixTime now);
    // Takes a newer header of the held list, which passed check_header. Requires: a list.
    Status confirm(StateHeader header);
    // Takes a list whose header passed check_header.
    Status take(StateHeader header, Bytes state);

    // Takes a list from disk, however old. Error: not signed for this network, or malformed.
    // Requires: no list yet.
    Status adopt(ByteView kept);
    // What adopt takes; empty without a list.
    Bytes keep() const;

private:
    Status check_descriptors(const ParsedState& state) const;

    HeaderVerifier verifier_;
    wire::NetworkId network_;
    std::chrono::milliseconds maximum_age_;
    std::chrono::milliseconds clock_tolerance_;
    std::optional<DirectoryList> list_;
    Bytes state_;  // of list_, serialised
};

}  // namespace planetserve::committee
