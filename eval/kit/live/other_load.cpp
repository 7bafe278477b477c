#include "eval/kit/live/other_load.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>

namespace planetserve::eval {

namespace {

// What /proc tells of a process from its third field, its state, on. Empty when it is gone.
std::string fields_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    // The name, in brackets, may hold anything.
    std::size_t end = line.rfind(')');
    return end == line.npos ? "" : line.substr(end + 1);
}

// Adds the processes that these have started.
void add_children(std::vector<pid_t>& processes) {
    std::multimap<pid_t, pid_t> children;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        pid_t pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 0) continue;
        std::istringstream fields(fields_of(pid));
        std::string state;
        pid_t parent = 0;
        if (fields >> state >> parent) children.emplace(parent, pid);
    }
    for (std::size_t i = 0; i < processes.size(); ++i)
        for (auto [child, end] = children.equal_range(processes[i]); child != end; ++child)
            if (std::ranges::find(processes, child->second) == processes.end()) processes.push_back(child->second);
}

// User and system time of a process and of its children that ended, in ticks.
double ticks_of(pid_t pid) {
    std::istringstream fields(fields_of(pid));
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
    add_children(processes_);
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
