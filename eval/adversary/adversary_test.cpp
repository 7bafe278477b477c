#include <gtest/gtest.h>

#include "eval/adversary/adversary_experiment.h"
#include "eval/adversary/inference.h"
#include "eval/kit/experiment_fixture.h"
#include "eval/kit/overlay/distance.h"

namespace planetserve::eval {
namespace {

Adversary owner_of(std::set<NodeId> nodes, bool model_nodes) {
    return {[nodes](const NodeId& node) { return nodes.contains(node); }, model_nodes};
}

class SeenNetwork : public testing::Test {
protected:
    SeenNetwork() {
        for (int i = 0; i < 3; ++i) {
            auto round = rounds_.next();
            if (!round) throw std::runtime_error(round.error().message);
            evidence_.push_back(gather_evidence(rounds_.recorder(), *round));
        }
    }
    std::set<NodeId> entries() const {
        std::set<NodeId> found;
        for (const auto& evidence : evidence_)
            for (const auto& suspicion : evidence.suspicions)
                if (suspicion.builder == rounds_.target()) found.insert(suspicion.relay);
        return found;
    }

    UserRounds rounds_{{.nodes = 200, .users = 3}, 5};
    std::vector<Evidence> evidence_;
};

TEST_F(SeenNetwork, RelaysTellTheirPositionByTime) {
    std::size_t first = 0;
    for (const auto& path : rounds_.recorder().paths()) {
        if (!path.confirmed) continue;
        EXPECT_EQ(looks_first(path), path.built_by_previous);
        first += path.built_by_previous ? 1 : 0;
    }
    EXPECT_GT(first, 12U * 3U) << "four paths of each of three users, rebuilt before each round";
}

TEST_F(SeenNetwork, EveryRequestTakesFourPathsOfSixEntries) {
    for (const auto& evidence : evidence_) EXPECT_EQ(evidence.proxies.size(), 4U);
    EXPECT_LE(entries().size(), 6U);
    EXPECT_GE(entries().size(), 4U);
}

TEST_F(SeenNetwork, OneMaliciousEntryNamesTheSenderToTheModelNode) {
    // The entry of one of the first request's paths.
    NodeId entry;
    for (const auto& suspicion : evidence_[0].suspicions)
        if (suspicion.builder == rounds_.target()) entry = suspicion.relay;
    Verdict verdict = judge(evidence_.data(), 1, owner_of({entry}, true), rounds_.target(), 200, 0.01);
    EXPECT_TRUE(verdict.named);
    EXPECT_GT(verdict.probability, 0.99);
    EXPECT_LT(verdict.entropy, 0.05);
    // Without the model node, and without a proxy, it cannot tell which request.
    Verdict alone = judge(evidence_.data(), 1, owner_of({entry}, false), rounds_.target(), 200, 0.01);
    EXPECT_FALSE(alone.named);
    EXPECT_GT(alone.entropy, 0.99);
    // With a proxy, of another of its paths or not, it may; with all of them it does.
    std::set<NodeId> owned(evidence_[0].proxies.begin(), evidence_[0].proxies.end());
    owned.insert(entry);
    EXPECT_TRUE(judge(evidence_.data(), 1, owner_of(owned, false), rounds_.target(), 200, 0.05).named);
}

TEST_F(SeenNetwork, WithoutAnEntryTheModelNodeKnowsNothing) {
    std::set<NodeId> owned(evidence_[0].proxies.begin(), evidence_[0].proxies.end());
    for (const NodeId& entry : entries()) owned.erase(entry);
    Verdict verdict = judge(evidence_.data(), evidence_.size(), owner_of(owned, true), rounds_.target(), 200, 0.02);
    EXPECT_FALSE(verdict.named);
    EXPECT_GT(verdict.entropy, 0.95);
    EXPECT_LT(verdict.probability, 0.01);
}

TEST(FreshEntries, AreManyMore) {
    UserRounds rounds({.nodes = 200, .users = 1, .stable_entries = false}, 6);
    std::set<NodeId> entries;
    for (int i = 0; i < 6; ++i) {
        auto round = rounds.next();
        ASSERT_TRUE(round) << round.error().message;
        for (const auto& suspicion : gather_evidence(rounds.recorder(), *round).suspicions)
            if (suspicion.builder == rounds.target()) entries.insert(suspicion.relay);
    }
    EXPECT_GT(entries.size(), 12U);
}

TEST(AdversaryExperiment, FreshEntriesMakeManyRequestsWorse) {
    auto ran = run_experiment(*make_adversary_experiment(), "--N 300 --users 2 --requests 10 --draws 300 --f 0.1");
    ASSERT_TRUE(ran) << ran.error().message;
    auto value = [&](const std::string& key) {
        auto at = ran->summary.find("\"" + key + "\": ");
        EXPECT_NE(at, std::string::npos) << key;
        return std::stod(ran->summary.substr(at + key.size() + 4));
    };
    EXPECT_NEAR(value("named_with_model_kept_0.1_1"), 1 - std::pow(0.9, 4), 0.1);
    EXPECT_NEAR(value("named_with_model_kept_0.1_10"), 1 - std::pow(0.9, 6), 0.1);
    EXPECT_GT(value("named_with_model_fresh_0.1_10"), 0.85);
    EXPECT_LT(value("named_relays_kept_0.1_1"), value("named_with_model_kept_0.1_1"));
}

}  // namespace
}  // namespace planetserve::eval
