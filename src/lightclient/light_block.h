// A light block: all that a client needs of a block to check it. On the wire it is CometBFT's message LightBlock
// (proto/tendermint/types/types.proto), so that CometBFT's own tools can write and read it.
//
// Parsing refuses more than maximum_light_block_size before it allocates anything (what protobuf makes of the worst
// such message is some 10 MB, for a moment), and more than ValidatorSet::maximum_size validators or votes. Fields that
// a client has no use for (proposer priorities, the set's proposer) are neither kept nor written.
#pragma once

#include "lightclient/commit.h"
#include "lightclient/header.h"
#include "lightclient/validators.h"

namespace planetserve::lightclient {

struct LightBlock {
    Header header;
    Commit commit;            // of this header
    ValidatorSet validators;  // of this height
    bool operator==(const LightBlock&) const = default;
};

// That of 1,000 validators with all they may hold, and room to spare.
inline constexpr std::size_t maximum_light_block_size = 256 << 10;

Bytes encode(const LightBlock& block);
// Says nothing about signatures, nor whether the parts belong together (verify.h does). Everything is within its
// limits, and check(header) holds.
Result<LightBlock> parse_light_block(ByteView bytes);

}  // namespace planetserve::lightclient
