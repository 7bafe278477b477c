// `peers`: the same multi-turn work through other cache-aware routers and through this network, live.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_peers_experiment();

}  // namespace planetserve::eval
