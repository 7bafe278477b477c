#include "kvevents/kv_endpoint.h"

namespace planetserve::kvevents {

namespace {

constexpr std::size_t longest_endpoint = 256;

}  // namespace

Status check_kv_endpoint(std::string_view endpoint) {
    const bool known = endpoint.starts_with("tcp://") || endpoint.starts_with("ipc://");
    if (known && endpoint.size() > 6 && endpoint.size() <= longest_endpoint && !endpoint.contains('*')) return {};
    return fail(ErrorCode::invalid_argument, "\"" + std::string(endpoint) +
                                                 "\" is neither tcp://HOST:PORT nor ipc://PATH, where the engine can "
                                                 "be reached");
}

}  // namespace planetserve::kvevents
