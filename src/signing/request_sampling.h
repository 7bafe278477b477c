// How a user's request has its answer drawn, completed so that verification nodes can score the answer
// (docs/protocols/scoring.md).
//
// What the user says keeps its meaning. scoring::usual_sampling and the nonce's seed fill in what the user leaves out.
// The samplers of the replayable chain are named, so that no default of a model's file or of another version of the
// engine has a part in the draw.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>

#include "scoring/sampling.h"

namespace planetserve::signing {

struct RequestSampling {
    // Nothing for an answer that cannot be scored: other samplers, a grammar, tools, or several answers.
    std::optional<scoring::SamplingProfile> profile = std::nullopt;
    // Members for the engine's request, such as `"seed":5,"top_k":40`; empty when there are none to add. Write them
    // behind the request's own members: where one of these is there already, its value is null.
    std::string added = {};
};

// Requires: the request is an object.
RequestSampling sampling_of(const boost::json::value& request, const scoring::Nonce& nonce);

}  // namespace planetserve::signing
