// Gets the genesis of a network from the contacts of an invite, before there is a node.
#pragma once

#include "committee/founding.h"
#include "committee/invite.h"

namespace planetserve::roles {

// Asks one contact after the other, under an identity that is forgotten afterwards. Takes at most 10 s a contact. The
// error says for each contact why it did not help.
Result<committee::Founding> fetch_founding(const committee::Invite& invite);

}  // namespace planetserve::roles
