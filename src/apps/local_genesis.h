// The genesis of a network that `planetserve up` starts on this machine.
#pragma once

#include "apps/network_home.h"

namespace planetserve::apps {

// Makes the verification node's keys, configuration and the genesis that names it, unless they are there.
Status ensure_local_genesis(const NetworkHome& home, const NetworkFile& network);

}  // namespace planetserve::apps
