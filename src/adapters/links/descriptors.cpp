#include "adapters/links/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace planetserve::adapters {

std::size_t raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;  // never with these arguments
    if (limit.rlim_cur < wanted) {
        rlimit raised = limit;
        raised.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur;
}

std::size_t links_within(std::size_t descriptors, std::size_t handshakes) {
    std::size_t for_links = descriptors - std::min(other_descriptors, descriptors / 4);
    return std::max<std::size_t>(1, for_links - std::min(handshakes, for_links / 2));
}

}  // namespace planetserve::adapters
