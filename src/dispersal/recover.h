// The arithmetic of recovery for one set of k cloves; combine.h decides which sets to try.
#pragma once

#include <optional>
#include <span>

#include "dispersal/clove.h"

namespace planetserve::dispersal {

// The message, if split made all of these cloves; empty if any bit of one is wrong, padding and share included.
// Requires: k parsed cloves of one message with k distinct indices, in any order.
std::optional<Bytes> recover(std::span<const CloveView* const> cloves, ByteView binding);

// Whether split made a clove, given k that it made.
// Requires: recover accepted the k cloves.
bool agrees(std::span<const CloveView* const> right, const CloveView& clove);

}  // namespace planetserve::dispersal
