// GET of something small, waited for.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace planetserve::eval {

// Of a reply to a GET.
inline constexpr std::size_t small_body_limit = 4 << 20;

// Runs the context on this thread. BASE as HttpTarget::parse takes it. Status 200, at most small_body_limit.
Result<std::string> fetch(boost::asio::io_context& context, const std::string& base, const std::string& path,
                          Duration deadline, const std::string& api_key = {});

}  // namespace planetserve::eval
