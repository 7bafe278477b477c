// Where an engine publishes or replays its KV events.
#pragma once

#include <string_view>

#include "base/result.h"

namespace planetserve::kvevents {

// Fails unless the endpoint is tcp://HOST:PORT or ipc://PATH, an address that one can connect to; "*" is for those who
// listen.
Status check_kv_endpoint(std::string_view endpoint);

}  // namespace planetserve::kvevents
