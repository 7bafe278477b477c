// Which frames a node takes, by its role (docs/protocols/links.md). What a node never takes is skipped from its header
// on, so that nobody makes it keep a megabyte that it has no use for.
#pragma once

#include "wire/frame.h"
#include "wire/hello.h"

namespace planetserve::wire {

// Whether a node of this role has a use for frames of the type.
bool takes(Role own, FrameType type);

}  // namespace planetserve::wire
