// Decides where a request goes: the flow chart of the paper with additions, each with a switch
// (docs/protocols/routing.md, "Decision"). Pure: candidates and randomness in, a choice out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/random.h"
#include "routing/hr_tree.h"
#include "routing/load.h"

namespace planetserve::routing {

// Whether a node gets requests. The directory says so; if the network verifies, by the node's reputation.
enum class Trust : std::uint8_t { trusted, not_trusted };

struct Parameters {
    // tau_c: a match of fewer chunks is not a hit.
    std::uint32_t hit_depth = 1;
    // A hit node is overloaded if its F is above this quantile of all trusted nodes' F.
    double overload_quantile = 0.8;

    // Additions. With all of them off, decide() is the paper's flow chart.

    // Count this entry node's own forwards to a node that the node's report does not include yet. Until the next
    // report, up to 5 s later, the entry node would otherwise send all requests to the node that was last reported
    // idle.
    bool count_in_flight = true;
    // Draw one of the nodes whose F (or cost) is near the best, all with equal chance. Other entry nodes see the same
    // reports and would all choose the same node. Near: above the best by at most tie_share of the sum of the best and
    // what one more request adds.
    bool spread_ties = true;
    double tie_share = 0.1;
    // Choose by expected_cost() among all trusted nodes, not by F among the hits. So a short match does not outweigh a
    // queue, and a shared system prompt does not send everything to the node that has it.
    bool expected_cost = true;
    // With expected_cost: count the prompt's computing once more for each request that runs there, because engines
    // alternate between prompts and answers.
    bool count_others = true;
    // With expected_cost: the share of what a prompt displaces from the node's cache that the node will have to compute
    // again. A prompt displaces as much as it adds. Without this, hot prefixes spread until no cache has the others.
    double displacement = 0.5;
    // With expected_cost: the weight of F, for what answers cost each other in addition.
    double load_weight = 0.1;
    // A match that is no deeper than the common system prompt is not a hit, because it says nothing.
    bool ignore_common_part = true;
    // Without expected_cost: when all hit nodes are overloaded, prefer a node that holds part of the prompt and whose F
    // is at most the median. So a hot prefix spreads over few nodes.
    bool prefer_partial_holders = true;

    // For expected_cost: the rate of a node that does not report one.
    double default_prefill_tokens_per_second = 2000;

    // The flow chart alone.
    static Parameters paper() {
        Parameters parameters;
        parameters.count_in_flight = parameters.spread_ties = parameters.expected_cost = false;
        parameters.count_others = parameters.ignore_common_part = parameters.prefer_partial_holders = false;
        parameters.displacement = parameters.load_weight = 0;
        return parameters;
    }
};

// One model node of the group, as the entry node sees it now.
struct Candidate {
    HolderIndex node = 0;
    Trust trust = Trust::trusted;
    LoadReport load;
    std::uint32_t in_flight_requests = 0;
    std::uint64_t in_flight_tokens = 0;
    // How much of the prompt the node holds, by the tree.
    std::uint32_t depth = 0;
    std::uint64_t cached_tokens = 0;
};

struct Request {
    std::uint64_t prompt_tokens = 0;
    // Levels of this prompt that belong to a common system prompt, by the sentry.
    std::uint32_t common_depth = 0;
};

enum class Reason : std::uint8_t {
    no_hit,           // no node holds enough of the prompt: the lowest F (or cost) of all
    no_trusted_hit,   // only untrusted nodes hold enough: the lowest F (or cost) of all
    overloaded_hits,  // all trusted hit nodes are overloaded: the lowest F of all, or of the partial holders
    hit,              // the lowest F of the trusted hit nodes not overloaded; or the lowest cost, of a hit node
    least_cost,       // with expected_cost: there are trusted hit nodes, but another node costs less
};

struct Decision {
    // An index of the candidates.
    std::size_t chosen = 0;
    Reason reason = Reason::no_hit;
};

// F, with forwards in flight if the parameters say so.
double load_factor(const Candidate& candidate, const Parameters& parameters);
// The cost of a request at a node, in seconds:
//
//     uncached prompt tokens / prefill rate * (1 + requests that run there + displacement)
//     + the wait: the greater of queued prompt tokens / prefill rate, and L / C for each request beyond C
//     + load_weight * F
double expected_cost(const Candidate& candidate, const Request& request, const Parameters& parameters);

// Empty if no candidate is trusted. Takes time linear in the number of candidates.
std::optional<Decision> decide(std::span<const Candidate> candidates, const Request& request,
                               const Parameters& parameters, Random& random);

}  // namespace planetserve::routing
