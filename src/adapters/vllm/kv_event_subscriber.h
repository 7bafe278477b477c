// Follows an engine's KV events over ZeroMQ: subscribes where vLLM publishes, asks its replay socket for batches that
// are missing, and passes on the events in order (src/kvevents).
//
// It connects again after a lost connection, at pauses that grow from 0.2 s to 10 s. A peer that is silent for 15 s
// counts as lost. A message has at most kv_batch_limit bytes. At most 1,000 messages wait; the publisher drops more,
// which is a gap. Everything happens on the thread that runs the io_context, which outlives the subscriber.
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
    std::optional<std::string> replay_endpoint = {};  // where it replays; none: a missing batch is lost
    std::string topic = {};                           // messages whose topic begins with this; "" takes all
    Duration replay_deadline = 5s;                    // for the first message of a replay
};

// What a line for the log is about: a problem, or that the last one is over.
enum class KvNote : std::uint8_t { problem, over };

struct KvEventHandlers {
    std::function<void(const std::vector<routing::CacheEvent>&)> on_events;
    // All that was told is void. It says whether the events that follow tell all that the engine's cache holds.
    std::function<void(kvevents::Knowledge)> on_start_over;
    // A line for the log.
    std::function<void(const std::string&, KvNote)> on_note;
};

struct KvEventStatus {
    std::string state;    // "connecting", "replaying", "following"
    std::string problem;  // the last one, while it lasts
    kvevents::EventOrderCounters order;
    std::uint64_t unknown_events = 0;  // with names that this version does not know
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
