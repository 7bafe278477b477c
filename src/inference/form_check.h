// The forms that a user's request holds an answer to: what its tools take, schemas and grammars. An engine makes rules
// of each, wherever it stands.
#pragma once

#include <boost/json/fwd.hpp>

#include "inference/model_calls.h"
#include "inference/request_check.h"

namespace planetserve::inference {

// Empty: the engine may read them.
std::optional<Refusal> check_forms(ModelCall call, const boost::json::object& body, const EngineTraits& engine,
                                   const RequestLimits& limits);

}  // namespace planetserve::inference
