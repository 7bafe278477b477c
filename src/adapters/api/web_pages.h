// Web pages that the node's owner allows to ask, and what a browser must be told for that (the Fetch standard, "CORS
// protocol"). Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "adapters/api/client_request.h"

namespace planetserve::adapters {

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// For every reply to a page that is allowed: none for any other request.
HeaderLines page_headers(const ClientRequest& request);
// For the reply to an OPTIONS by which a browser asks beforehand. `methods`: the value of Allow.
HeaderLines preflight_headers(const ClientRequest& request, std::string_view methods);

}  // namespace planetserve::adapters
