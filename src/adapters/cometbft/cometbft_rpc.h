// Asks CometBFT of this node: JSON-RPC by HTTP over a unix socket, which only this user can open.
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
    // The answer's "result"; or why there is none: `unavailable` where the engine does not answer, `invalid_argument`
    // with the engine's own words where it refuses.
    using Handler = std::function<void(Result<boost::json::value>)>;

    CometbftRpc(boost::asio::io_context& context, std::filesystem::path socket, Duration deadline = 5s);
    // Ends all calls; their handlers are not called.
    ~CometbftRpc();

    // The handler is called once, never before this returns. At most 8 calls are under way, 16,384 wait.
    void call(std::string method, boost::json::object parameters, Handler handler);

    struct Shared;

private:
    std::shared_ptr<Shared> shared_;
};

}  // namespace planetserve::adapters
