// What the registry and its list cost, by the registry's own code: for so many user and model nodes.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/time.h"

namespace planetserve::eval {

struct DirectoryCost {
    std::size_t list_bytes = 0;
    double block_seconds = 0;         // a block of one second's renewals, with its hash
    double serialise_seconds = 0;     // the list, once
    double client_check_seconds = 0;  // a client's check of a list, without signatures that it has checked before
    double first_check_seconds = 0;   // besides, once: all descriptors' signatures; computed from 500 of them
    // As clients fetch: every 3 s, or as seldom as 256 KiB/s asks for.
    double fetch_interval_seconds = 0;
    double client_bytes_a_second = 0;
    double registry_bytes_a_second = 0;  // to all clients
    double renewals_a_second = 0;
};

// Registers the nodes and makes `blocks` blocks. Signatures are made up: Registry leaves them to parse_transaction,
// whose cost is the verification that first_check_seconds is made of.
Result<DirectoryCost> measure_directory(std::size_t users, std::size_t models, std::size_t blocks, std::uint64_t seed);

}  // namespace planetserve::eval
