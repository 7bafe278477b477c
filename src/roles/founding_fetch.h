// Gets the genesis of a network from the contacts of an invite, before there is a node.
#pragma once

#include "committee/founding.h"
#include "committee/invite.h"

namespace planetserve::roles {

// Asks one contact after the other, under an identity that is forgotten afterwards, until one hands out the genesis and
// has the time that this machine has: one that lies about the time keeps nobody out. Takes 10 s a contact at the most,
// and as long again as the system takes to resolve a name. The error says for each contact why it did not help.
Result<committee::Genesis> fetch_genesis(const committee::Invite& invite);

}  // namespace planetserve::roles
