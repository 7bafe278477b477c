// What this node measured of model nodes itself: whether they delivered, how soon, how fast. What nodes claim of
// themselves does not count here. Pure; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/time.h"

namespace planetserve::node {

struct ExperienceLimits {
    // What a node did counts half after so long: a failure is forgotten in some ten minutes, and a node that delivered
    // well for hours and then stops loses its standing at once.
    Duration half_life = 2min;
    // Times and speeds that count at most, each half after a half-life: the newest counts a quarter at least.
    double maximum_samples = 3;
    // Where less than so much of a sample is left, nothing is known of the node's speed: after six to ten minutes. So a
    // node that was slow once is drawn again.
    double least_samples = 0.125;
    // Requests that wait in one queue are late together, and say as much as one of them.
    Duration late_interval = 15s;
    // Deliveries that count at most, so that a node cannot save them up for failures to come.
    double maximum_weight = 16;
    // Of a list of at most some thousand model nodes with their models; the longest unheard of is forgotten.
    std::size_t maximum_servers = 4096;
    // What a failure costs the user: a deadline, and the same request once more.
    Duration failure_costs = 20s;
    // Of an answer whose speed is compared. Some hundred tokens as a stream of events.
    double usual_answer_bytes = 16 << 10;
    // The time to the first byte is compared per so much of request, beyond the first of it: a long prompt takes long.
    double usual_request_bytes = 16 << 10;
};

// How much a failure says of the node.
namespace blame {
inline constexpr double full = 1;  // it took a request and did not answer it, or could not be reached
// It forwarded the request to one that did not, or its engine failed, or it was at work and its answer did not begin in
// time.
inline constexpr double partial = 0.5;
inline constexpr double busy = 0.25;  // it had no place
}  // namespace blame

// A node as one that serves a model: each of its models has an engine of its own.
struct Server {
    NodeId node;
    std::string model;
    auto operator<=>(const Server&) const = default;
};

class Experience {
public:
    // A node of which less is expected is not to be relied on: one failure lately, and nothing delivered.
    static constexpr double fails_below = 0.6;

    explicit Experience(ExperienceLimits limits = {}) : limits_(limits) {}

    struct Delivery {
        std::optional<Duration> first_byte{};      // from the question to the first byte of its answer, if it streams
        std::size_t request_bytes = 0;             // of the question
        std::optional<double> bytes_per_second{};  // from the first byte on; none of a short answer
    };
    void delivered(const Server& server, const Delivery& delivery, Time now);
    void failed(const Server& server, double weight, Time now);
    // It is at work, as it says, and its answer did not begin in time. Counts once in a while.
    void late(const Server& server, double weight, Time now);

    // The share of requests that the server delivers: 1 of one that nothing is known of.
    double reliability(const Server& server, Time now) const;
    bool fails_mostly(const Server& server, Time now) const { return reliability(server, now) < fails_below; }
    // All nodes that do, with any model.
    std::set<NodeId> failing(Time now) const;
    // What failures of the server cost a request, on average.
    Duration expected_loss(const Server& server, Time now) const;
    // For a usual question and answer; nothing where no first byte was measured lately.
    std::optional<Duration> usual_time(const Server& server, Time now) const;
    // To the first byte of an answer to so long a question; nothing where none was measured lately.
    std::optional<Duration> first_byte(const Server& server, std::size_t request_bytes, Time now) const;
    // Deliveries that still count.
    double deliveries(const Server& server, Time now) const;

private:
    // A mean in which samples fade.
    struct Mean {
        double value = 0, samples = 0;
        Time at{};  // of the samples that are left
    };
    struct Record {
        double good = 0, bad = 0;
        Time at{};        // of these two
        Mean first_byte;  // in seconds, of a usual question
        Mean rate;        // in bytes a second
        std::optional<Time> late_at;
    };

    Record& touch(const Server& server, Time now);
    // What is left of something after a time.
    double left(Time since, Time now) const;
    void add(Mean& mean, double sample, Time now) const;
    std::optional<double> known(const Mean& mean, Time now) const;
    double longer(std::size_t request_bytes) const;

    ExperienceLimits limits_;
    std::map<Server, Record> records_;
};

}  // namespace planetserve::node
