// Follows an engine's KV events over ZeroMQ: subscribes where vLLM publishes, asks its replay socket for what is
// missing, and passes on the events in order (event_order.h, kv_event_decoder.h).
//
// A lost connection is made anew, at pauses that grow from 0.2 s to 10 s; a peer that says nothing for 15 s counts as
// lost. Messages are at most kv_batch_limit, and 1,000 wait at most: then the publisher drops them, which is a gap.
// Everything happens on the thread that runs the io_context, which outlives the subscriber.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kvevents/event_order.h"
#include "routing/cache_events.h"

namespace planetserve::adapters {

struct KvEventOptions {
    std::string endpoint;                             // tcp://HOST:PORT or ipc://PATH, where the engine publishes
    std::optional<std::string> replay_endpoint = {};  // where it replays; none: what is missing is lost
    std::string topic = {};                           // what messages' topics begin with; "" takes all
    Duration replay_deadline = 5s;                    // for the first message of a replay
};

// Whether an endpoint has the form above.
Status check_kv_endpoint(const std::string& endpoint);

struct KvEventHandlers {
    std::function<void(const std::vector<routing::CacheEvent>&)> on_events;
    // What was told is void. Complete: what is told from now on is all that the engine's cache holds.
    std::function<void(bool complete)> on_unknown;
    // A line for the log; a problem, or that it is over.
    std::function<void(const std::string&, bool problem)> on_note;
};

struct KvEventStatus {
    std::string state;    // "connecting", "replaying", "following"
    std::string problem;  // the last one, while it lasts
    kvevents::EventOrderCounters order;
    std::uint64_t unknown_events = 0;  // of names that are not known here
};

class KvEventSubscriber {
public:
    // Throws std::invalid_argument for an endpoint that cannot be used. Nothing is called before run().
    KvEventSubscriber(boost::asio::io_context& context, KvEventOptions options, KvEventHandlers handlers);
    ~KvEventSubscriber();

    void run();
    KvEventStatus status() const;

private:
    class Follower;
    std::shared_ptr<Follower> follower_;
};

}  // namespace planetserve::adapters
