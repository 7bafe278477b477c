// The genesis of a network that `planetserve up` starts on this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "local/network_home.h"
#include "verification/parameters.h"

namespace planetserve::local {

// How the network verifies its model nodes, and of which models of the catalogue its verification nodes have copies.
struct LocalVerification {
    verification::Parameters parameters;
    std::vector<std::string> models;
};

// The phases of an epoch of this length. A short epoch leaves most of its time to challenges. Requires: at least 10 s.
verification::Parameters verification_of_epoch(std::uint32_t seconds);

// Makes the keys and configurations of the verification nodes and the genesis that names them. Several are a committee.
// Does nothing where there is a genesis.
Status ensure_local_genesis(const NetworkHome& home, const NetworkFile& network,
                            const std::optional<LocalVerification>& verification);

}  // namespace planetserve::local
