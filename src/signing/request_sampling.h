// How a user's request has its answer drawn, completed so that the answer can be scored (docs/protocols/scoring.md).
//
// What a user says keeps its meaning. What is left out, scoring::usual_sampling and the nonce's seed fill in, and the
// samplers of the chain that can be replayed are named, so that nothing hangs on what a model's file or another version
// of the engine takes for its default.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>

#include "scoring/sampling.h"

namespace planetserve::signing {

struct RequestSampling {
    // Nothing where the answer cannot be scored: other samplers, a grammar or tools, several answers.
    std::optional<scoring::SamplingProfile> profile = std::nullopt;
    // Members for the engine's request, such as `"seed":5,"top_k":40`; empty when there are none to add. Given behind
    // the request's own members, since those that are there are null at most.
    std::string added = {};
};

// REQUIRES: an object.
RequestSampling sampling_of(const boost::json::value& request, const scoring::Nonce& nonce);

}  // namespace planetserve::signing
