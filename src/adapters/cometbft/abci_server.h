// The application's end of ABCI: a unix socket to which CometBFT opens its four connections.
//
// It answers the requests of a connection in their order, and the requests of all connections one after the other, so
// that the application has one writer. Everything happens on the thread that runs the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/result.h"

namespace planetserve::abci {
class Request;
class Response;
}  // namespace planetserve::abci

namespace planetserve::adapters {

class AbciServer {
public:
    // CometBFT gets an error as an exception, which ends it.
    using Handler = std::function<Result<abci::Response>(const abci::Request&)>;
    // Told once why this server cannot go on: the handler's error, or a message that cannot be read.
    using OnFailure = std::function<void(const Error&)>;

    AbciServer(boost::asio::io_context& context, Handler handler, OnFailure on_failure);
    // Closes every connection and removes the socket; neither function is called again.
    ~AbciServer();

    // Listens on the path. Removes a socket that an earlier process left there.
    Status listen(const std::filesystem::path& socket);

    struct Shared;

private:
    void accept();

    std::shared_ptr<Shared> shared_;
};

}  // namespace planetserve::adapters
