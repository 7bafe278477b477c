#include "eval/adversary/inference.h"

#include <algorithm>
#include <cmath>

#include "eval/kit/overlay/distance.h"

namespace planetserve::eval {

namespace {

// A cell that should have passed and did not, were the path the request's: links lose nothing, but a model may be
// wrong.
constexpr double surprise = 0.01;
// A user whose paths are just being renewed has more of them than cloves, and one that is not used.
constexpr double unused = 0.05;
// No single path says more than this: the numbers above are no better than that.
constexpr double most_certain = 1e12;

double mixed(double ratio) { return unused + (1 - unused) * std::min(ratio, most_certain); }

// How much likelier it is to have a cell at [from, from + window] for the request's own path than by chance.
double fit(const std::vector<Time>& cells, Time from, Duration window, Duration length) {
    bool hit = std::ranges::any_of(cells, [&](Time cell) { return cell >= from && cell <= from + window; });
    double chance = std::clamp(static_cast<double>(cells.size()) * to_seconds(window) / to_seconds(length), 1e-4, 0.5);
    return hit ? (1 - surprise) / chance : surprise / (1 - chance);
}

double clove_fit(const PathSeen& path, const CellsSeen& cells, const LaneSeen& lane, const NodeId& model, bool at_model,
                 Duration length) {
    Duration way = distance(path.relay, *path.next) + distance(*path.next, lane.proxy);
    Duration window = 2 * jitter;
    if (at_model) {
        way += distance(lane.proxy, model);
        window += jitter;
    }
    Time seen = at_model ? lane.arrived : lane.left_proxy;
    double ratio = fit(cells.forward, seen - way - window, window, length);
    for (Time reply : at_model ? lane.replies_left : lane.replies_arrived)
        ratio *= fit(cells.backward, reply + way, window, length);
    return ratio;
}

}  // namespace

bool looks_first(const PathSeen& path) {
    if (!path.next || !path.confirmed) return false;
    return *path.confirmed - path.setup > 2 * (distance(path.relay, *path.next) + jitter);
}

Evidence gather_evidence(const Recorder& recorder, const UserRounds::Round& round) {
    Evidence evidence;
    const RequestSeen& request = round.seen.requests[round.target];
    for (const LaneSeen& lane : request.lanes) evidence.proxies.push_back(lane.proxy);
    for (const auto& [place, cells] : round.seen.cells) {
        const PathSeen& path = recorder.paths()[place];
        if (!looks_first(path)) continue;
        Suspicion suspicion{path.relay, path.previous, 0, {}};
        double sum = 0;
        for (const LaneSeen& lane : request.lanes) {
            sum += clove_fit(path, cells, lane, request.model, true, round.seen.length);
            suspicion.with_proxy.emplace_back(lane.proxy,
                                              clove_fit(path, cells, lane, request.model, false, round.seen.length));
        }
        // It is not known which clove took the path.
        suspicion.with_model_node = std::log(mixed(sum / static_cast<double>(request.lanes.size())));
        evidence.suspicions.push_back(std::move(suspicion));
    }
    return evidence;
}

namespace {

std::map<NodeId, double> weigh(const Evidence* evidence, std::size_t requests, const Adversary& adversary) {
    std::map<NodeId, double> logarithms;
    for (std::size_t i = 0; i < requests; ++i)
        for (const Suspicion& suspicion : evidence[i].suspicions) {
            if (!adversary.owns(suspicion.relay)) continue;
            double logarithm = suspicion.with_model_node;
            if (!adversary.model_nodes) {
                double sum = 0;
                bool any = false;
                for (const auto& [proxy, ratio] : suspicion.with_proxy) {
                    bool seen = adversary.owns(proxy);
                    any = any || seen;
                    sum += seen ? ratio : 1;
                }
                if (!any) continue;
                logarithm = std::log(mixed(sum / static_cast<double>(suspicion.with_proxy.size())));
            }
            logarithms[suspicion.builder] += logarithm;
        }
    return logarithms;
}

}  // namespace

Verdict judge(const Evidence* evidence, std::size_t requests, const Adversary& adversary, const NodeId& sender,
              std::uint64_t nodes, double fraction) {
    auto logarithms = weigh(evidence, requests, adversary);
    // Its own nodes sent nothing; all that it has no word of are alike.
    double others = std::max(
        0.0, std::nearbyint((1 - fraction) * static_cast<double>(nodes)) - static_cast<double>(logarithms.size()));
    // All weights relative to the largest, which may be beyond what a number holds.
    double best = 0;
    for (const auto& [node, logarithm] : logarithms) best = std::max(best, logarithm);
    auto weight = [&](double logarithm) { return std::exp(logarithm - best); };
    double total = others * weight(0);
    for (const auto& [node, logarithm] : logarithms) total += weight(logarithm);
    auto term = [&](double one) {
        double p = one / total;
        return p > 0 ? -p * std::log2(p) : 0;
    };
    double entropy = others * term(weight(0));
    for (const auto& [node, logarithm] : logarithms) entropy += term(weight(logarithm));
    auto found = logarithms.find(sender);
    double own = found == logarithms.end() ? 0 : found->second;
    bool named = own > 0 && own >= best;
    return {entropy / std::log2(static_cast<double>(nodes)), weight(own) / total, named,
            !named && weight(best) > total / 2};
}

}  // namespace planetserve::eval
