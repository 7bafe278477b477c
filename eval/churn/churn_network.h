// An overlay whose nodes come and go, in virtual time and of the nodes' own classes: users who ask over and over, all
// other user nodes as relays and proxies, model nodes that stay.
//
// What is modelled: distances (10 to 90 ms one way); when nodes leave (a Poisson process, each relay as likely as any
// other, another coming in its place); and the directory, as docs/protocols/registry.md has it: a list of this second,
// fetched every 3 s, in which a node that said it leaves is gone, and one that did not stays until its lease is over.
#pragma once

#include <functional>
#include <iosfwd>
#include <vector>

#include "base/result.h"
#include "node/user_node.h"
#include "simulator/fault_script.h"

namespace planetserve::eval {

// How a node goes: it tells the directory and its neighbours; its process dies; its machine falls silent; or a third of
// them each.
enum class Departure : std::uint8_t { orderly, crash, silent, mixed };
std::string_view to_string(Departure departure);

struct ChurnShape {
    std::size_t nodes = 3119;  // user nodes, those who ask among them
    std::size_t users = 60;    // they stay
    std::size_t models = 8;
    double departures_a_minute = 200;
    Departure departure = Departure::mixed;
    dispersal::Threshold threshold{};  // n paths, k of them needed
    std::size_t hops = 3;
    bool repair = true;
    Duration session = 30min;  // each user's, from when its paths are up
    Duration every = 10s;      // between two of its requests
    Duration give_up = 60s;    // on a request
};

struct ChurnRequest {
    Duration age{};          // of the session, when it was asked
    bool delivered = false;  // its whole answer, and the right one
    Duration first_token{};  // zero: none came
};

struct ChurnResult {
    std::vector<ChurnRequest> requests;
    // Of each path that lost a relay, from when that left: until the user knew, and until it had n whole paths again.
    std::vector<Duration> noticed;
    std::vector<Duration> repaired;
    std::uint64_t departures = 0;
    std::uint64_t broken = 0;       // paths that lost a relay
    std::uint64_t never_ready = 0;  // users that had no n paths in the first minute
    std::uint64_t frames = 0;
    std::uint64_t trace_hash = 0;
    std::uint64_t trace_events = 0;
};

struct ChurnWatch {
    std::ostream* trace = nullptr;                         // for a line an event
    std::function<void(double)> progress = [](double) {};  // the share of the session that is over
};

// Faults count from the beginning of the sessions; nodes are numbered users first, then the relays of the beginning,
// then the model nodes. Fails for a fault of a node that there is not, and where no paths came up.
Result<ChurnResult> run_churn(const ChurnShape& shape, std::uint64_t seed, const std::vector<simulator::Fault>& faults,
                              const ChurnWatch& watch);

// What a message dispersed over paths built at once has: the chance that k of n paths of so many relays are whole after
// a time, where each relay leaves at a rate (in one second).
double survival(dispersal::Threshold threshold, std::size_t hops, double leave_rate, Duration age);

}  // namespace planetserve::eval
