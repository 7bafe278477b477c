// The time to the first token of one answer, as a client of an OpenAI-compatible API sees it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace planetserve::eval {

// From the request until text comes, of a short answer that is then read to its end. The prompt is of one length and
// differs with its number, so that no cache has it. Runs the context on this thread; half a minute at most.
Result<Duration> first_token(boost::asio::io_context& context, const std::string& base, const std::string& model,
                             std::uint64_t prompt);

}  // namespace planetserve::eval
