// An OpenAI-compatible server as a Service: llama-server on a unix socket, vLLM on this machine, an API anywhere.
//
// Everything happens on the thread that runs the io_context, which outlives the engine and its exchanges.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "adapters/llama/http_target.h"
#include "base/time.h"
#include "inference/service.h"

namespace planetserve::adapters {

struct HttpEngineOptions {
    HttpTarget target;
    std::optional<std::string> bearer_key;        // sent as "Authorization: Bearer KEY"
    std::optional<std::string> authorities_file;  // PEM; the system's authorities when absent
    Duration connect_deadline = 10s;              // name look-up, connection and TLS
    Duration head_deadline = 10min;               // a long prompt, or a place in the server's queue
    Duration body_deadline = 5min;                // between two pieces of the body
    Duration idle_limit = 30s;                    // a connection that was idle for longer is closed
    std::size_t connections = 256;                // at once; more requests are refused
    std::size_t idle_connections = 16;            // kept for the next request
};

// It passes on bytes as they come. Destroying an exchange closes its connection, which tells llama-server and vLLM to
// stop. It sends a request a second time only if an idle connection proves dead before a byte of the reply came.
//
// Errors that sinks get: unavailable (no connection), internal (the connection broke while the server had the request,
// and there is no other), timed_out, malformed (not HTTP). Their messages name the server's address.
class HttpEngine final : public inference::Service {
public:
    // Throws std::invalid_argument when the key or the file of authorities cannot be used.
    HttpEngine(boost::asio::io_context& context, HttpEngineOptions options);
    ~HttpEngine() override;

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    std::size_t connections() const;       // under way and kept
    std::size_t idle_connections() const;  // kept

private:
    std::shared_ptr<class HttpPool> pool_;
};

}  // namespace planetserve::adapters
