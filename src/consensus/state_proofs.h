// Pairs the registry's states with the headers that prove them: the hash of the state after block H stands in the
// header of block H + 1 (docs/protocols/committee.md). Pure. Not thread-safe.
#pragma once

#include <map>
#include <optional>

#include "committee/registry.h"
#include "committee/state_header.h"
#include "lightclient/light_block.h"

namespace planetserve::consensus {

class StateProofs {
public:
    // The block of that height is decided and not yet applied: its header will prove the state as it is now. A state
    // that is proven already is not kept again. A large one is kept at most once a second, since that takes as long as
    // a block.
    void on_decided(std::int64_t height, const committee::Registry& registry, Time now);
    // A block of the chain. It proves the state kept for its height, or the proven one again. Otherwise no effect.
    void on_block(const lightclient::LightBlock& block);

    // The header that proves the newest state, and that state.
    const std::optional<committee::StateHeader>& header() const { return header_; }
    const Bytes& state() const { return state_; }

private:
    struct Kept {
        crypto::Digest app_hash{};
        Bytes state;
    };

    std::map<std::int64_t, Kept> kept_;  // by the height of the block that will prove it
    std::optional<Time> kept_large_;
    std::optional<committee::StateHeader> header_;
    Bytes state_;
};

}  // namespace planetserve::consensus
