// An invite: one line of text by which a stranger finds a network, and knows that it is the right one
// (docs/protocols/invites.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "committee/genesis.h"

namespace planetserve::committee {

inline constexpr std::string_view invite_prefix = "planetserve:";
inline constexpr std::size_t most_contacts = 4;
inline constexpr std::size_t longest_invite = 2048;  // characters

struct Invite {
    // A verification node, which hands out the genesis.
    struct Contact {
        NodeId id;
        Endpoint address;
        bool operator==(const Contact&) const = default;
    };
    // The digest of the genesis: whoever hands out another one is found out.
    wire::NetworkId network;
    std::vector<Contact> contacts;  // 1 to most_contacts

    bool operator==(const Invite&) const = default;
    std::string to_text() const;
    // Blanks around the text, and line breaks within it, do not matter. malformed: what is wrong with it, such as that
    // a character is missing.
    static Result<Invite> parse(std::string_view text);
};

// Names verification nodes of the genesis, drawn where there are more than an invite holds.
Invite invite_to(const Genesis& genesis, Random& random);

}  // namespace planetserve::committee
