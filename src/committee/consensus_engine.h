// Orders the transactions of a network: the embedded consensus engine of a single verification node, or the CometBFT of
// a committee (docs/protocols/committee.md).
#pragma once

#include <functional>

#include "committee/state_header.h"

namespace planetserve::committee {

class ConsensusEngine {
public:
    using Answer = std::function<void(Status)>;

    virtual ~ConsensusEngine() = default;
    // Takes a transaction for one of the next blocks, or answers why it is refused. Calls answer once, perhaps before
    // it returns.
    virtual void submit(ByteView transaction, UnixTime now, Answer answer) = 0;
    // The header of the newest state that can be proven. Error: why there is none yet.
    virtual Result<StateHeader> proof(UnixTime now) = 0;
    // That state, serialised.
    // Requires: the last proof() succeeded.
    virtual Bytes proven_state() const = 0;
};

}  // namespace planetserve::committee
