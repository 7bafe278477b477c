// A block's header and commit in JSON, as the method "commit" of CometBFT's RPC gives them. Pure.
#pragma once

#include <boost/json.hpp>

#include "lightclient/light_block.h"

namespace planetserve::consensus {

// The light block of the answer's "result", with the validators of its height. An error says what does not parse. It
// does not check the signatures.
Result<lightclient::LightBlock> light_block_from_json(const boost::json::value& result,
                                                      const lightclient::ValidatorSet& validators);

}  // namespace planetserve::consensus
