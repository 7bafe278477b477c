// Serves lists that differ from what the committee agreed on. A file says which, at any time:
//
//     left-out          a model node is missing
//     left-out-signed   and the header says so too
//     left-out-block    and the block in the proof as well
//     signed-by-N       the true list, with the votes of N validators only
//     stale             the list that was newest when the file began to say so
#pragma once

#include <filesystem>
#include <optional>

#include "committee/consensus_engine.h"

namespace planetserve::hostile {

class FalseLists final : public committee::ConsensusEngine {
public:
    // All of it outlives this.
    FalseLists(committee::ConsensusEngine& honest, std::filesystem::path orders)
        : honest_(honest), orders_(std::move(orders)) {}

    void submit(ByteView transaction, UnixTime now, Answer answer) override {
        honest_.submit(transaction, now, std::move(answer));
    }
    Result<committee::StateHeader> proof(UnixTime now) override;
    Bytes proven_state() const override { return state_; }

private:
    committee::ConsensusEngine& honest_;
    std::filesystem::path orders_;
    std::optional<std::pair<committee::StateHeader, Bytes>> old_;
    Bytes state_;
};

}  // namespace planetserve::hostile
