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

// Whether a node gets requests. The directory says it: by the node's reputation, where the network verifies.
enum class Trust : std::uint8_t { trusted, not_trusted };

struct Parameters {
    // tau_c: a match of fewer chunks is no cache hit.
    std::uint32_t hit_depth = 1;
    // A hit node whose F is above this quantile of all trusted nodes' F is overloaded.
    double overload_quantile = 0.8;

    // Additions; with all of them off, decide() is the paper's flow chart.

    // Counts a node's forwards by this entry node that its report does not show yet: reports come every 5 s, and
    // without it an entry node sends everything of that time to the node that was idle last.
    bool count_in_flight = true;
    // Among the nodes whose F (or cost) is within tie_share of the best, and of one request more, draws one evenly,
    // since other entry nodes see the same reports and would all choose the same one.
    bool spread_ties = true;
    double tie_share = 0.1;
    // Chooses by expected_cost() among all trusted nodes, instead of by F among the hits. So a short match does not
    // outweigh a queue, and one shared system prompt does not send everything to the node that has it.
    bool expected_cost = true;
    // With expected_cost: the prompt's computing counts once more for each request that runs there meanwhile, since
    // engines compute prompts and answers by turns.
    bool count_others = true;
    // With expected_cost: what is computed displaces as much of what the node's cache holds; this share of it is taken
    // to be computed again some day. Without it, hot prefixes spread until nobody's cache holds the others.
    double displacement = 0.5;
    // With expected_cost: the weight of F, which stands for what answers cost each other beyond all that.
    double load_weight = 0.1;
    // Matches that reach no deeper than what most prompts share tell nothing: they do not make a hit.
    bool ignore_common_part = true;
    // Without expected_cost: when all hit nodes are overloaded, the idle node that gets the request instead is at least
    // one that holds part of the prompt, where there is one whose F is not above the median; so a hot prefix spreads
    // over few nodes.
    bool prefer_partial_holders = true;

    // What is assumed of nodes that do not say, for expected_cost.
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
    // What it holds of the prompt, from the tree.
    std::uint32_t depth = 0;
    std::uint64_t cached_tokens = 0;
};

struct Request {
    std::uint64_t prompt_tokens = 0;
    // Levels of this prompt that belong to a common system prompt, as the sentry knows.
    std::uint32_t common_depth = 0;
};

enum class Reason : std::uint8_t {
    no_hit,           // no node holds enough of the prompt: lowest F of all
    no_trusted_hit,   // those that do are not trusted: lowest F of all
    overloaded_hits,  // those that do and are trusted are overloaded: lowest F of all
    hit,              // lowest F among the trusted hit nodes that are not overloaded
    least_cost,       // with expected_cost: there were trusted hits, but another node is quicker
};

struct Decision {
    // The position in the candidates.
    std::size_t chosen = 0;
    Reason reason = Reason::no_hit;
};

// F with in-flight forwards counted where the parameters say so.
double load_factor(const Candidate& candidate, const Parameters& parameters);
// What a request costs at a node, in seconds:
//
//     uncached prompt tokens / prefill rate * (1 + requests that run there + displacement)
//     + what it waits: the greater of the queued prompt tokens / prefill rate and, beyond C requests, L / C for each
//     + load_weight * F
double expected_cost(const Candidate& candidate, const Request& request, const Parameters& parameters);

// Nothing when no candidate is trusted. Takes time linear in the candidates (a quantile's selection included).
std::optional<Decision> decide(std::span<const Candidate> candidates, const Request& request,
                               const Parameters& parameters, Random& random);

}  // namespace planetserve::routing
