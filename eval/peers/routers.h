// Cache-aware routers from Python packages, as arms of a contest.
#pragma once

#include <string>

#include "eval/kit/live/contest.h"

namespace planetserve::eval {

// When a router leaves the cache-aware choice for the shortest queue.
struct RouterBalance {
    std::string absolute;
    std::string relative;
};
inline const RouterBalance router_default_balance{"64", "1.5"};
// For a handful of requests at once, as here: with the defaults, one engine may get most of the work.
inline const RouterBalance router_tuned_balance{"2", "1.2"};

// `python` is the interpreter of an environment with the package, `module` what is run: "sglang_router.launch_router"
// or "smg.launch_router".
ContestArm router_arm(std::string name, std::string what, std::string python, std::string module,
                      RouterBalance balance);

}  // namespace planetserve::eval
