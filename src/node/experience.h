// What this node measured of model nodes itself: whether they delivered, how soon, how fast. What nodes claim of
// themselves does not count here. Pure; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/ids.h"
#include "base/time.h"

namespace planetserve::node {

struct ExperienceLimits {
    // What a node did counts half after so long: a failure is forgotten in some ten minutes, and a node that delivered
    // well for hours and then stops loses its standing at once.
    Duration half_life = 2min;
    // Deliveries that count at most, so that a node cannot save them up for failures to come.
    double maximum_weight = 16;
    // Of a list of at most some thousand model nodes; the longest unheard of is forgotten.
    std::size_t maximum_nodes = 4096;
    // What a failure costs the user: a deadline, and the same request once more.
    Duration failure_costs = 20s;
    // Of an answer whose speed is compared. Some hundred tokens as a stream of events.
    double usual_answer_bytes = 16 << 10;
    // The time to the first byte is compared per so much of request, beyond the first of it: a long prompt takes long.
    double usual_request_bytes = 16 << 10;
};

// How much a failure says of the node.
namespace blame {
inline constexpr double full = 1;       // it took a request and did not answer it, or could not be reached
inline constexpr double partial = 0.5;  // it forwarded the request to one that did not, or its engine failed
inline constexpr double busy = 0.25;    // it had no place
}  // namespace blame

class Experience {
public:
    // A node of which less is expected is not to be relied on: one failure lately, and nothing delivered.
    static constexpr double fails_below = 0.6;

    explicit Experience(ExperienceLimits limits = {}) : limits_(limits) {}

    struct Delivery {
        Duration first_byte{};                     // from the question to the first byte of its answer
        std::size_t request_bytes = 0;             // of the question
        std::optional<double> bytes_per_second{};  // from the first byte on; none of a short answer
    };
    void delivered(const NodeId& node, const Delivery& delivery, Time now);
    // Delivered, and nothing was measured.
    void delivered(const NodeId& node, Time now) { count_delivery(node, now); }
    void failed(const NodeId& node, double weight, Time now);

    // The share of requests that the node delivers: 1 of a node that nothing is known of.
    double reliability(const NodeId& node, Time now) const;
    bool fails_mostly(const NodeId& node, Time now) const { return reliability(node, now) < fails_below; }
    // All nodes that do.
    std::set<NodeId> failing(Time now) const;
    // What failures of the node cost a request, on average.
    Duration expected_loss(const NodeId& node, Time now) const;
    // For a usual question and answer; nothing before the first delivery.
    std::optional<Duration> usual_time(const NodeId& node) const;
    // To the first byte of an answer to so long a question; nothing before the first delivery.
    std::optional<Duration> first_byte(const NodeId& node, std::size_t request_bytes) const;
    // Deliveries that still count.
    double deliveries(const NodeId& node, Time now) const;

private:
    struct Record {
        double good = 0, bad = 0;
        Time at{};                         // of these two
        std::optional<double> first_byte;  // in seconds, of a usual question
        std::optional<double> rate;        // in bytes a second
    };

    Record& touch(const NodeId& node, Time now);
    Record& count_delivery(const NodeId& node, Time now);
    double decay(const Record& record, Time now) const;
    double longer(std::size_t request_bytes) const;

    ExperienceLimits limits_;
    std::map<NodeId, Record> records_;
};

}  // namespace planetserve::node
