#include "eval/scale/costs.h"

#include <malloc.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <fstream>
#include <limits>

namespace planetserve::eval {

double processor_seconds() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::size_t resident_bytes() {
    ::malloc_trim(0);
    std::ifstream file("/proc/self/statm");
    std::size_t all = 0, resident = 0;
    file >> all >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

double growth(const std::vector<std::pair<double, double>>& cost_of_size) {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (auto [size, cost] : cost_of_size) {
        const double log_size = std::log(size), log_cost = std::log(cost);
        n += 1;
        x += log_size;
        y += log_cost;
        xx += log_size * log_size;
        xy += log_size * log_cost;
    }
    const double spread = n * xx - x * x;
    return spread > 0 ? (n * xy - x * y) / spread : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace planetserve::eval
