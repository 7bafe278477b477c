// A committee of four that verifies model nodes, with epochs of twenty seconds, and its registry's blocks.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "committee/committee_fixture.h"

namespace planetserve::committee {

class Verified : public testing::Test {
protected:
    struct RecordedBlock {
        UnixTime time;
        crypto::Digest app_hash;  // of the state before it
        std::vector<Bytes> transactions;
    };

    Verified() {
        genesis_.chain_id = "test";
        genesis_.time = UnixTime{1'000'000};
        for (int i = 0; i < 4; ++i) {
            verifiers_.push_back(crypto::Identity::generate(random_));
            genesis_.validators.push_back({"v",
                                           verifiers_.back().id(),
                                           1,
                                           {"127.0.0.1", 1},
                                           Endpoint{"127.0.0.1", static_cast<std::uint16_t>(i + 2)}});
        }
        genesis_.parameters.update_interval_ms = 0;
        genesis_.parameters.verification = verification::Parameters{.epoch_ms = 20'000,
                                                                    .draw_ms = 2'000,
                                                                    .leader_ms = 4'000,
                                                                    .leaders = 2,
                                                                    .recheck_ms = 3'000,
                                                                    .commit_ms = 3'000,
                                                                    .reveal_ms = 2'000};
    }

    Bytes signed_word(const crypto::Identity& verifier, decltype(verification::Transaction::body) body,
                      const Registry& registry) {
        verification::Transaction word{genesis_.network(), verifier.id(), registry.verification()->epoch().number,
                                       std::move(body)};
        Verify verify{verification::sign(word, verifier), word};
        return sign({genesis_.network(), verifier.id(), static_cast<std::uint64_t>(registry.time().milliseconds),
                     std::move(verify)},
                    verifier);
    }
    void block(Registry& registry, std::int64_t time, const std::vector<Bytes>& transactions = {}) {
        blocks_.push_back({UnixTime{time}, registry.app_hash(), transactions});
        registry.begin_block(registry.height() + 1, UnixTime{time});
        for (const Bytes& transaction : transactions)
            if (auto applied = registry.apply(transaction); !applied) refused_.push_back(applied.error());
        for (auto& [key, value] : registry.commit()) {
            if (value)
                stored_[key] = *value;
            else
                stored_.erase(key);
        }
    }
    // An epoch in which everybody gives the node this credit.
    void judge(Registry& registry, const NodeId& node, verification::Millionths credit) {
        std::int64_t begin =
            registry.verification()->schedule().begin(registry.verification()->epoch().number + 1).milliseconds;
        block(registry, begin);
        std::vector<Bytes> draws;
        for (const auto& verifier : verifiers_)
            draws.push_back(signed_word(verifier,
                                        verification::Draw{crypto::vrf_prove(
                                            verifier, registry.verification()->alpha(verification::Purpose::draw))},
                                        registry));
        block(registry, begin + 500, draws);
        block(registry, begin + 2'100);
        NodeId leader = *registry.verification()->epoch().leader(0);
        const auto& leading =
            *std::ranges::find(verifiers_, leader, [](const auto& verifier) { return verifier.id(); });
        block(registry, begin + 2'200,
              {signed_word(
                  leading,
                  verification::Report{
                      crypto::vrf_prove(leading, registry.verification()->alpha(verification::Purpose::plan)), {}, {}},
                  registry)});
        verification::Reveal reveal{{}, {{node, verification::Outcome::credit, credit}}};
        std::vector<Bytes> commits, reveals;
        block(registry, begin + 13'100);
        for (const auto& verifier : verifiers_) {
            auto digest = verification::commitment(genesis_.network(), registry.verification()->epoch().number,
                                                   verifier.id(), {}, reveal);
            commits.push_back(signed_word(verifier, verification::Commit{digest}, registry));
            reveals.push_back(signed_word(verifier, reveal, registry));
        }
        block(registry, begin + 13'200, commits);
        block(registry, begin + 16'100, reveals);
        block(registry, begin + 19'000);
    }

    SeededRandom random_{5};
    Genesis genesis_;
    std::vector<crypto::Identity> verifiers_;
    std::vector<Error> refused_;
    Values stored_;
    std::vector<RecordedBlock> blocks_;
};

}  // namespace planetserve::committee
