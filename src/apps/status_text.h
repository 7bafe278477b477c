// What `planetserve status` prints of an overview (local/overview.h).
#pragma once

#include <boost/json.hpp>
#include <string>

namespace planetserve::apps {

std::string status_text(const boost::json::object& overview);

}  // namespace planetserve::apps
