#include "eval/live/other_load.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace planetserve::eval {

namespace {

// User and system time of a process and of its children that ended, in ticks.
double ticks_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    // The name, in brackets, may hold anything.
    std::size_t end = line.rfind(')');
    if (end == line.npos) return 0;
    std::istringstream fields(line.substr(end + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;
    double sum = 0;
    for (int i = 14; i <= 17; ++i) {
        double value = 0;
        fields >> value;
        sum += value;
    }
    return sum;
}

}  // namespace

OtherLoad::OtherLoad(std::vector<pid_t> processes) : processes_(std::move(processes)) {
    processes_.push_back(getpid());
    start_ = read();
}

OtherLoad::Times OtherLoad::read() const {
    Times times;
    std::ifstream file("/proc/stat");
    std::string line;
    while (std::getline(file, line) && line.starts_with("cpu")) {
        if (!line.starts_with("cpu ")) {
            ++times.cores;
            continue;
        }
        std::istringstream fields(line.substr(4));
        double value = 0;
        // user nice system idle iowait irq softirq steal; guests are counted in user already.
        for (int i = 0; i < 8 && fields >> value; ++i) {
            times.all += value;
            if (i != 3 && i != 4) times.busy += value;
        }
    }
    for (pid_t pid : processes_) times.ours += ticks_of(pid);
    return times;
}

double OtherLoad::cores() const {
    Times now = read();
    double all = now.all - start_.all;
    if (all <= 0) return std::numeric_limits<double>::quiet_NaN();
    double others = (now.busy - start_.busy) - (now.ours - start_.ours);
    return std::max(0.0, others) / all * now.cores;
}

}  // namespace planetserve::eval
