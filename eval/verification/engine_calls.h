// POST of JSON to a local engine, waited for.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/llama/http_engine.h"

namespace planetserve::eval {

class EngineCalls {
public:
    // REQUIRES: a base URL that HttpTarget takes.
    EngineCalls(boost::asio::io_context& context, const std::string& base);

    // Replies in the order of the bodies, each of status 200 and at most 16 MiB; so many requests at once. The first
    // that fails ends them all. Runs the context on this thread, for at most the deadline. `done` hears of each that
    // ended.
    Result<std::vector<std::string>> post(const std::string& path, const std::vector<std::string>& bodies,
                                          std::size_t at_once, Duration deadline,
                                          const std::function<void()>& done = {});

private:
    boost::asio::io_context& context_;
    adapters::HttpEngine engine_;
};

}  // namespace planetserve::eval
