// Something that answers OpenAI-style requests: an engine on this machine, an upstream URL, or the overlay itself.
//
// The user's HTTP API talks to a Service that is the overlay; a model node's end of the overlay talks to a Service that
// is an engine. All calls and callbacks of one Service happen on one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace planetserve::inference {

// An HTTP request as the user made it, without the headers of the connection.
struct Request {
    IdempotencyId id;          // the same over retries
    std::string method;        // "POST"
    std::string path;          // "/v1/chat/completions"
    std::string content_type;  // "application/json"
    std::string model;         // the model asked for
    Bytes body;
    // The node that gets the request has served the conversation so far, so it should answer rather than forward the
    // request.
    bool continues = false;
    std::optional<NodeId> node = std::nullopt;  // the node to ask, and the only one that may answer; empty: any
    // At a model node: the neighbour that brought the request, or what stands for one. Places are shared among them.
    std::optional<NodeId> via = std::nullopt;
    // The user's request that the node forwarded before, and that the other node did not answer.
    std::optional<IdempotencyId> returns = std::nullopt;
    // At a model node: the digest of the body as the asker gave it, where the node wrote into the body.
    std::optional<crypto::Digest> asked = std::nullopt;
    // At a model node: the tokens of all its answers together, at the most; empty: it sets no bound, or nobody looked.
    std::optional<std::uint64_t> tokens = std::nullopt;
};

struct ReplyHead {
    unsigned status = 200;
    // Only those worth passing on: content-type, retry-after, x-request-id, ... Names in lower case.
    std::vector<std::pair<std::string, std::string>> headers;
};

// Receives a reply. After on_end or on_error nothing more comes. Callbacks never happen before Service::start
// has returned, nor after the Exchange is destroyed. A sink may destroy its Exchange inside a callback.
class ReplySink {
public:
    virtual ~ReplySink() = default;
    virtual void on_head(const ReplyHead& head) = 0;  // once, first
    virtual void on_body(ByteView bytes) = 0;         // any number of times, as bytes come
    virtual void on_end() = 0;                        // complete
    virtual void on_error(const Error& error) = 0;    // failed, before or after the head; what came is not complete
};

// A request under way. Destroying it cancels the request, down to the engine.
class Exchange {
public:
    virtual ~Exchange() = default;
    // The sink is done with this many bytes of body. No more than reply_window bytes are delivered beyond what was
    // consumed, so a slow reader holds the producer back.
    virtual void consumed(std::size_t bytes) = 0;
};

inline constexpr std::size_t reply_window = 1 << 20;

// Runs a function soon, on the same thread, not before it returned: asio::post, or the simulator's. A Service that
// answers itself keeps by it to the order that ReplySink promises.
using Defer = std::function<void(std::function<void()>)>;

class Service {
public:
    virtual ~Service() = default;
    // Starts a request, or says at once why not: invalid_argument, not_found (no such model), exhausted, unavailable.
    // The sink must outlive the Exchange.
    virtual Result<std::unique_ptr<Exchange>> start(Request request, ReplySink& sink) = 0;
};

}  // namespace planetserve::inference
