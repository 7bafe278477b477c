// Verifiers with their keys around a Verification, with epochs of ten seconds.
#pragma once

#include <algorithm>
#include <functional>
#include <set>

#include "base/random.h"
#include "verification/state.h"

namespace planetserve::verification {

inline Parameters quick_parameters() {
    Parameters parameters;
    parameters.epoch_ms = 10'000;
    parameters.draw_ms = parameters.recheck_ms = parameters.commit_ms = parameters.reveal_ms = 1'000;
    parameters.leader_ms = 1'000;
    parameters.leaders = 3;
    return parameters;
}

class Scene {
public:
    explicit Scene(std::size_t verifiers, std::size_t models = 4, Parameters parameters = quick_parameters(),
                   std::vector<std::uint64_t> powers = {}, std::uint64_t seed = 1)
        : random(seed) {
        std::vector<Verifier> set;
        for (std::size_t i = 0; i < verifiers; ++i) {
            identities.push_back(crypto::Identity::generate(random));
            set.push_back({identities.back().id(), powers.empty() ? 1 : powers[i]});
        }
        for (std::size_t i = 0; i < models; ++i) nodes.push_back(random.id<NodeId>());
        std::ranges::sort(nodes);
        machine.emplace(chain, set, parameters);
        initial = machine;
    }

    // Block times of this epoch; the machine enters the phase.
    void go(Phase phase, std::uint32_t turn = 0) {
        static constexpr std::int64_t begins[] = {0, 1'000, 4'000, 5'000, 6'000, 7'000};
        block(chain.genesis + std::chrono::milliseconds(static_cast<std::int64_t>(epoch) * 10'000 +
                                                        begins[static_cast<int>(phase)] + turn * 1'000 + 10));
    }
    void block(UnixTime time) {
        machine->begin_block(time, nodes.size());
        blocks.push_back({time, {}});
    }
    void next_epoch() {
        ++epoch;
        go(Phase::draw);
    }

    template <typename Body>
    Transaction make(std::size_t verifier, Body body) const {
        return {chain.network, identities[verifier].id(), epoch, std::move(body)};
    }
    // As it goes over the wire. What the machine says of it.
    template <typename Body>
    Status say(std::size_t verifier, Body body) {
        Bytes bytes = sign(make(verifier, std::move(body)), identities[verifier]);
        blocks.back().transactions.push_back(bytes);
        return machine->apply(bytes);
    }
    Draw draw(std::size_t verifier) const {
        return {crypto::vrf_prove(identities[verifier], machine->alpha(Purpose::draw))};
    }
    Report report(std::size_t verifier, std::vector<NodeId> unanswered = {}, std::uint8_t transcript = 1) const {
        Report made{crypto::vrf_prove(identities[verifier], machine->alpha(Purpose::plan)), {}, std::move(unanswered)};
        made.transcript.fill(transcript);
        return made;
    }
    std::size_t index(const NodeId& id) const {
        return static_cast<std::size_t>(std::ranges::find(identities, id, &crypto::Identity::id) - identities.begin());
    }
    // By this epoch's order, 0 the lowest.
    std::size_t drawn(std::size_t place) const { return index(machine->epoch().order().at(place)); }
    Commit commit_to(std::size_t verifier, const Reveal& reveal) const {
        return {
            commitment(chain.network, epoch, identities[verifier].id(), machine->epoch().report->transcript, reveal)};
    }
    Reveal reveal_of(std::vector<Score> scores) {
        Reveal made;
        random.fill(made.salt.value);
        made.scores = std::move(scores);
        return made;
    }

    void draw_all() {
        go(Phase::draw);
        for (std::size_t i = 0; i < identities.size(); ++i) (void)say(i, draw(i));
    }
    // Everything up to the vote, by honest verifiers.
    void reach_vote(std::vector<NodeId> unanswered = {}, std::vector<NodeId> still = {}) {
        draw_all();
        go(Phase::challenge);
        (void)say(drawn(0), report(drawn(0), unanswered));
        go(Phase::recheck);
        if (machine->epoch().second()) (void)say(index(*machine->epoch().second()), Recheck{still});
    }
    // Commits and reveals of all for whom scores are given, then the end of the epoch.
    using Scores = std::function<std::optional<std::vector<Score>>(std::size_t verifier)>;
    void vote(const Scores& scores) {
        std::map<std::size_t, Reveal> reveals;
        go(Phase::commit);
        for (std::size_t i = 0; i < identities.size(); ++i)
            if (auto of = scores(i)) {
                reveals.emplace(i, reveal_of(*of));
                (void)say(i, commit_to(i, reveals.at(i)));
            }
        go(Phase::reveal);
        for (const auto& [verifier, reveal] : reveals) (void)say(verifier, reveal);
        go(Phase::idle);
    }
    // The same credit for each of the nodes.
    std::vector<Score> credits(const std::vector<Millionths>& of_nodes) const {
        std::vector<Score> scores;
        for (std::size_t i = 0; i < of_nodes.size(); ++i) scores.push_back({nodes[i], Outcome::credit, of_nodes[i]});
        return scores;
    }
    Millionths reputation(std::size_t node) const { return machine->reputation(nodes[node]); }

    struct Block {
        UnixTime time;
        std::vector<Bytes> transactions;
    };

    SeededRandom random;
    Chain chain{"test-chain", wire::NetworkId{{7}}, UnixTime{1'000'000}};
    std::vector<crypto::Identity> identities;
    std::vector<NodeId> nodes;
    std::optional<State> machine;
    std::optional<State> initial;  // before any block
    std::uint64_t epoch = 0;
    std::vector<Block> blocks;
};

}  // namespace planetserve::verification
