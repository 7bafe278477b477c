// The arithmetic of recovery, for one choice of k cloves; combine.h decides which to try.
#pragma once

#include <optional>
#include <span>

#include "dispersal/clove.h"

namespace planetserve::dispersal {

// The message, if these k cloves are all exactly what split made; empty if one of them is wrong in any bit, padding and
// share included. REQUIRES: k parsed cloves of one message with k distinct indices, in any order.
std::optional<Bytes> recover(std::span<const CloveView* const> cloves, ByteView binding);

// Whether a clove is what split made, given k that are. REQUIRES: as above, and that recover accepted them.
bool agrees(std::span<const CloveView* const> right, const CloveView& clove);

}  // namespace planetserve::dispersal
