// A group of model nodes in virtual time: each is a routing::Member, the class that real nodes run, before an
// EngineModel. Messages between members and forwarded requests take the network's delay; nothing is lost.
//
// A request enters at a node that is drawn evenly, as users draw their entry nodes; one that continues a conversation
// enters where the one before it was served (session affinity). There Member::place() decides. The way from the user to
// the entry node and back is left out: it is the same for every arm.
#pragma once

#include <functional>

#include "routing/member.h"
#include "simulator/engine_model.h"
#include "simulator/workload.h"

namespace planetserve::simulator {

enum class Arm : std::uint8_t {
    // Plain engines: request i goes to engine i modulo N. No members, no forwarding.
    round_robin,
    // The paper's flow chart, but no node tells its load, so that every F is 0 and the first candidate wins: where the
    // prompt's prefix is held, the entry node if it holds it, or else the first holder by id; where it is not, the
    // entry node.
    hr_tree,
    // The paper's flow chart with load: Parameters::paper(), other options as they are.
    hr_tree_load_balancing,
    // The options as they are.
    ours,
    // decide() with the options' parameters and perfect knowledge, for reference: it knows what each engine's cache
    // holds
    // or is about to hold, and each node's load with the requests on their way.
    oracle,
};
std::string_view to_string(Arm arm);

struct ClusterOptions {
    std::size_t nodes = 8;
    Arm arm = Arm::ours;
    EngineParameters engine;
    // Its cache's size is set from the engine's.
    routing::MemberOptions member;
    bool affinity = true;
    // One way, of a pair of nodes; evenly in between.
    Duration shortest_delay = 5ms;
    Duration longest_delay = 60ms;
    // Before the first request, for members to get to know each other.
    Duration settling = 20s;
    std::uint64_t seed = 1;
    // Tells how many requests are done, now and then.
    std::function<void(std::size_t)> progress{};
};

struct RequestOutcome {
    // Since it came in at the entry node.
    Duration first_token{};
    Duration latency{};
    std::uint32_t output_tokens = 0;
    std::uint32_t prompt_tokens = 0;
    // As the engine reported.
    std::uint32_t cached_tokens = 0;
    // At placement: the prefix that the chosen node held in the entry node's view; that it did hold or was about to
    // compute; and whether it had ever held that much, so that a wrong claim is merely old.
    std::uint32_t claimed_tokens = 0;
    std::uint32_t held_tokens = 0;
    bool ever_held = true;
    // The longest prefix that any node held then, in the entry node's view and in truth.
    std::uint32_t best_claimed_tokens = 0;
    std::uint32_t best_held_tokens = 0;
    std::size_t node = 0;
    bool forwarded = false;
    routing::Reason reason = routing::Reason::no_hit;
};

// From the first arrival to the last.
struct NodeUse {
    std::size_t requests = 0;
    // Requests that run or wait there, on average over time: the paper's Q.
    double mean_queued = 0;
    double busy_seconds = 0;
};

struct ClusterResult {
    // Of each request of the workload, in its order.
    std::vector<RequestOutcome> outcomes;
    std::vector<NodeUse> nodes;
    // From the first arrival to the end of the last answer.
    double seconds = 0;
    std::uint64_t sync_messages = 0;
    std::uint64_t sync_bytes = 0;
    std::uint64_t refused_messages = 0;
    std::uint64_t corrections = 0;
    // Of each member, at the end.
    std::vector<routing::ChunkLengths> arrays;
};

// Every request must fit the engine's cache; one that does not is an error.
Result<ClusterResult> run_cluster(const Workload& workload, const ClusterOptions& options);

// Requests a second that plain engines behind round-robin serve when all requests are there from the start.
Result<double> round_robin_capacity(const Workload& workload, const ClusterOptions& options);

}  // namespace planetserve::simulator
