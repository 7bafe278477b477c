// The genesis of a network that `planetserve up` starts on this machine.
#pragma once

#include "apps/network_home.h"

namespace planetserve::apps {

// Makes the verification nodes' keys and configurations and the genesis that names them, unless they are there. Several
// are a committee.
Status ensure_local_genesis(const NetworkHome& home, const NetworkFile& network);

}  // namespace planetserve::apps
