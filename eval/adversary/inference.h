// What an adversary makes of what its nodes saw: how well each user fits as the sender of a request.
//
// It knows every path's length, all distances, and its own nodes' clocks. A relay that sees the first cell back later
// than its successor alone would take is no last but one, hence of three relays the first: its predecessor built the
// path. It then compares when cells passed there with when the request's cloves and answers passed at the other end.
#pragma once

#include <functional>
#include <vector>

#include "eval/adversary/user_rounds.h"

namespace planetserve::eval {

// A path with a first relay, were that one the adversary's: how much more likely the cells it saw are if the path's
// builder sent the request than if not, by what is seen at the other end.
struct Suspicion {
    NodeId relay;
    NodeId builder;
    double with_model_node = 0;  // a logarithm: the model node saw all cloves
    // The ratio itself for each clove, were its proxy the adversary's; the model node is not.
    std::vector<std::pair<NodeId, double>> with_proxy;
};

// All the adversary could ever hold about one request.
struct Evidence {
    std::vector<NodeId> proxies;
    std::vector<Suspicion> suspicions;
};

// Whether the relay is the first of a path of three, by time alone. False too while no cell came back.
bool looks_first(const PathSeen& path);

Evidence gather_evidence(const Recorder& recorder, const UserRounds::Round& round);

// Who is the adversary's; and whether the model nodes are.
struct Adversary {
    std::function<bool(const NodeId&)> owns;
    bool model_nodes = true;
};

struct Verdict {
    double entropy = 1;      // of the sender, over that of a guess among all nodes
    double probability = 0;  // that it gives the true sender
    bool named = false;      // the true sender is its best guess, and not one of many
    bool misled = false;     // it is more than half sure of another
};

// The posterior over senders of requests that the adversary knows to be of one user. REQUIRES: at least one.
Verdict judge(const Evidence* evidence, std::size_t requests, const Adversary& adversary, const NodeId& sender,
              std::uint64_t nodes, double fraction);

}  // namespace planetserve::eval
