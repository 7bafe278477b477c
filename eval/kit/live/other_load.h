// How busy the machine was with what is not part of an experiment, so that figures of a shared machine say so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace planetserve::eval {

// Counts from its construction. Linux only: reads /proc.
class OtherLoad {
public:
    // The experiment's processes: this one and those given, with what they have started by now. All have to run until
    // cores() is called.
    explicit OtherLoad(std::vector<pid_t> processes);

    // Cores' worth of processor time others took, on average. Not a number where /proc does not tell.
    double cores() const;

private:
    struct Times {
        double busy = 0;  // of the whole machine, in ticks
        double all = 0;
        double ours = 0;
        double cores = 0;
    };
    Times read() const;

    std::vector<pid_t> processes_;
    Times start_;
};

}  // namespace planetserve::eval
