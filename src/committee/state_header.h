// The proof of a state: a header that validators with more than 2/3 of the voting power signed
// (docs/protocols/registry.md). The app hash follows from the list itself, so a list and its header need no other
// proof. The validators of a committee sign blocks, not states: the proof is the block whose header has the app hash.
#pragma once

#include <vector>

#include "committee/genesis.h"
#include "crypto/hash.h"
#include "crypto/identity.h"

namespace planetserve::committee {

struct HeaderSignature {
    NodeId validator;
    crypto::Signature signature;
};

struct StateHeader {
    std::int64_t height = 0;
    UnixTime time;
    crypto::Digest app_hash{};
    std::vector<HeaderSignature> signatures;
    Bytes light_block = {};  // of a committee; then there are no signatures
};

HeaderSignature sign_header(const StateHeader& header, const wire::NetworkId& network,
                            const crypto::Identity& validator);
// Checks that more than 2/3 of the genesis voting power signed this header; each validator counts once.
Status verify_header(const StateHeader& header, const Genesis& genesis, const wire::NetworkId& network);

namespace proto {
class StateHeader;
}
void to_proto(const StateHeader& header, proto::StateHeader& out);
Result<StateHeader> from_proto(const proto::StateHeader& message);

}  // namespace planetserve::committee
