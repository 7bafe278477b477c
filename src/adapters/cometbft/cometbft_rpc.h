// Asks this node's CometBFT: JSON-RPC by HTTP over a unix socket that only this user can open.
//
// Everything happens on the thread that runs the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace planetserve::adapters {

class CometbftRpc {
public:
    // The answer's "result", or an error: `unavailable` when CometBFT does not answer, `invalid_argument` with its own
    // words when it refuses, `exhausted` when too many calls wait.
    using Handler = std::function<void(Result<boost::json::value>)>;

    CometbftRpc(boost::asio::io_context& context, std::filesystem::path socket, Duration deadline = 5s);
    // Ends all calls without calling their handlers.
    ~CometbftRpc();

    // The handler is called once, never before this returns. At most 8 calls are under way, 16,384 wait.
    void call(std::string method, boost::json::object parameters, Handler handler);

    struct Shared;

private:
    std::shared_ptr<Shared> shared_;
};

}  // namespace planetserve::adapters
