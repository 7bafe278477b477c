// A block's header and commit as CometBFT's RPC tells them, in JSON (the method "commit").
#pragma once

#include <boost/json.hpp>

#include "lightclient/light_block.h"

namespace planetserve::consensus {

// The light block of the answer's "result", with the validators of its height. An error says what does not parse;
// whether the signatures are right is not looked at.
Result<lightclient::LightBlock> light_block_from_json(const boost::json::value& result,
                                                      const lightclient::ValidatorSet& validators);

}  // namespace planetserve::consensus
