// Checks the headers of states by the genesis and, for a committee, a light client that begins with the genesis
// (docs/protocols/committee.md). Pure. Not thread-safe.
#pragma once

#include <optional>

#include "committee/state_header.h"
#include "lightclient/light_client.h"

namespace planetserve::committee {

// The genesis's validators as the consensus engine has them. Error: beyond the light client's limits.
Result<lightclient::ValidatorSet> consensus_validators(const Genesis& genesis);

class HeaderVerifier {
public:
    explicit HeaderVerifier(const Genesis& genesis);

    // Checks that validators with more than 2/3 of the power signed the header: for a committee by its light block,
    // whose height must not be below that of one verified before; otherwise by the header's own signatures. Does not
    // check its age, except that a light block may not be older than a week or ahead of the clock.
    Status verify(const StateHeader& header, UnixTime now);
    // The same for a header from disk, however old.
    // Requires: nothing was verified yet.
    Status adopt(const StateHeader& header);

private:
    Status check_fields(const StateHeader& header, const lightclient::LightBlock& block) const;

    Genesis genesis_;
    wire::NetworkId network_;
    std::optional<lightclient::ValidatorSet> validators_;  // of a committee
    std::optional<lightclient::LightClient> light_;
};

}  // namespace planetserve::committee
