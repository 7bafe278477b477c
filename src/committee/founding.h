// How a newcomer gets the genesis from a contact of its invite (docs/protocols/invites.md). Pure.
#pragma once

#include "committee/genesis.h"

namespace planetserve::committee {

// What a verification node handed out.
struct Founding {
    Genesis genesis;
    UnixTime time;  // by that node's clock
};

// The payload of the call_request frame.
Bytes founding_call();
// Reads the payload of the call_response. authentication: the genesis is another network's than the invite is for, so
// that the contact lies. Else the contact's refusal, or malformed.
Result<Founding> read_founding(ByteView payload, const wire::NetworkId& network);
// Whether a node with this clock could take part. Error: how far it and the contact's are apart, and which way.
Status check_clock(const Founding& founding, UnixTime now);

}  // namespace planetserve::committee
