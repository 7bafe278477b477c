// What orders the transactions of a network, as the directory sees it: the embedded consensus engine of a single
// verification node, or the CometBFT of a committee (docs/protocols/committee.md).
#pragma once

#include <functional>

#include "committee/state_header.h"

namespace planetserve::committee {

class ConsensusEngine {
public:
    using Answer = std::function<void(Status)>;

    virtual ~ConsensusEngine() = default;
    // Takes a transaction for one of the next blocks, or says why not. The answer comes once, perhaps before submit
    // returns.
    virtual void submit(ByteView transaction, UnixTime now, Answer answer) = 0;
    // The newest state that can be proven, by its header; or why there is none yet.
    virtual Result<StateHeader> proof(UnixTime now) = 0;
    // That state, serialised. REQUIRES: the last proof() gave one.
    virtual Bytes proven_state() const = 0;
};

}  // namespace planetserve::committee
