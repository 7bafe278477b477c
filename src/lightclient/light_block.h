// A light block: the parts of a block that a client needs to verify it. On the wire it is CometBFT's message LightBlock
// (proto/tendermint/types/types.proto), so CometBFT's own tools can write and read it.
//
// The parser refuses more than maximum_light_block_size before it allocates anything; protobuf takes some 10 MB for the
// worst message of that size, for a moment. It also refuses more than ValidatorSet::maximum_size validators or votes.
// It ignores fields that a client does not need (proposer priorities, the set's proposer, the total power), and
// encode() leaves them out.
#pragma once

#include "lightclient/commit.h"
#include "lightclient/header.h"
#include "lightclient/validators.h"

namespace planetserve::lightclient {

struct LightBlock {
    Header header;
    Commit commit;            // the votes for this header
    ValidatorSet validators;  // the validators of this height
    bool operator==(const LightBlock&) const = default;
};

// The largest block that the limits allow, with 1,000 validators, takes at most nine tenths of this.
inline constexpr std::size_t maximum_light_block_size = 256 << 10;

Bytes encode(const LightBlock& block);
// The result is within all limits, and check(header) holds. This checks no signature, nor whether the parts belong
// together; verify.h does.
Result<LightBlock> parse_light_block(ByteView bytes);

}  // namespace planetserve::lightclient
