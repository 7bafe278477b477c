// The live half of `wide-area`: real node processes on this machine with delay proxies between them, beside the
// simulator at the same delays. The model nodes' upstream is an echo server: set-up and the first byte are measured, no
// model.
#pragma once

#include "eval/experiment.h"

namespace planetserve::eval {

struct LiveCheck {
    bool asked = false;   // --live
    std::string program;  // the node's
    std::string area = "world";
    std::uint32_t users = 16;
    std::uint32_t measured = 0;
    std::uint32_t requests = 4;

    void add_options(CLI::App& app);
    Status run(const RunOptions& options, Report& report);
};

}  // namespace planetserve::eval
