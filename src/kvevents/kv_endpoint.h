// Where an engine publishes or replays its KV events.
#pragma once

#include <string_view>

#include "base/result.h"

namespace planetserve::kvevents {

// Accepts tcp://HOST:PORT and ipc://PATH of at most 256 bytes. Refuses "*", which is an address to listen on, not to
// connect to. Does not check host, port or path.
Status check_kv_endpoint(std::string_view endpoint);

}  // namespace planetserve::kvevents
