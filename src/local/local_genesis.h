// The genesis of a network that `planetserve up` starts on this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "local/network_home.h"
#include "verification/parameters.h"

namespace planetserve::local {

// Makes the verification nodes' keys and configurations and the genesis that names them, unless they are there. Several
// are a committee.
// How they verify model nodes, if they do. They score by copies of these models of the catalogue.
struct LocalVerification {
    verification::Parameters parameters;
    std::vector<std::string> models;
};
// Phases for an epoch of this length: short ones leave most of it to asking. REQUIRES: at least 10 s.
verification::Parameters verification_of_epoch(std::uint32_t seconds);

Status ensure_local_genesis(const NetworkHome& home, const NetworkFile& network,
                            const std::optional<LocalVerification>& verification);

}  // namespace planetserve::local
