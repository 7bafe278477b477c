// Floods through relays on lines of 20 Mbit/s: those who use the same line are served meanwhile.

#include <gtest/gtest.h>

#include "onion/paths_fixture.h"

namespace planetserve::onion {
namespace {

using namespace testing_support;

constexpr double home_line = 20e6 / 8;  // bytes a second

// The last hop of the attacker's paths: it takes everything and breaks the rules for nobody to see.
class Accomplice final : public simulator::Host {
public:
    Accomplice(Network& network, Random& random)
        : id(random.id<NodeId>()), key(crypto::AgreementKey::generate(random)) {
        network.attach(id, *this);
    }
    void on_frame(const NodeId&, wire::FrameType type, MutableByteView) override {
        if (type == wire::FrameType::path_cell) ++cells;
    }
    void on_link_down(const NodeId&) override {}
    void on_timer() override {}
    Time next_timer() const override { return Time::max(); }

    NodeId id;
    crypto::AgreementKey key;
    std::size_t cells = 0;
};

class RelayFlood : public Paths {
protected:
    void make_slow(RelayLimits limits) {
        for (int i = 0; i < 2; ++i) {
            relays_.push_back(std::make_unique<RelayHost>(clock_, network_, random_, limits));
            relays_.back()->lines.limit(home_line);
        }
    }
    SetupHop hop(std::size_t relay) const { return {relays_[relay]->id, relays_[relay]->key.public_key()}; }

    // Honest requests by relay 0 and relay 1, who is the proxy, four a second, and attackers' paths by the same two.
    // How many of 40 requests were answered before the next one.
    std::size_t answered(std::size_t attackers, std::size_t cells_a_second) {
        EchoHost echo(network_, random_);
        RawBuilder honest(clock_, network_, random_);
        honest.build({hop(0), hop(1)});
        clock_.run_for(1s);
        echo.handle = honest.open(1, echo.id);
        Accomplice accomplice(network_, random_);
        std::vector<std::unique_ptr<RawBuilder>> hostile;
        for (std::size_t i = 0; i < attackers; ++i) {
            hostile.push_back(std::make_unique<RawBuilder>(clock_, network_, random_));
            hostile.back()->build({hop(0), hop(1), {accomplice.id, accomplice.key.public_key()}});
        }
        clock_.run_for(1s);
        std::size_t answered = 0;
        for (std::size_t request = 1; request <= 40; ++request) {
            honest.clove(1, 1000);
            for (int step = 0; step < 5; ++step) {
                for (auto& each : hostile)
                    for (std::size_t i = 0; i < cells_a_second / 20 / attackers; ++i)
                        each->send({Command::probe}, {Bytes(8)});
                clock_.run_for(50ms);
            }
            answered += honest.count(Command::data) == request ? 1 : 0;
        }
        return answered;
    }
};

// Before: the flood filled the link's queue of 16 MiB, so a clove took 7 s to get through; and once it was full, each
// path ended whose cell came next. So it is with a link_high_water without end: 1 of the 40 is answered.
TEST_F(RelayFlood, OfASlowLineDelaysTheFloodAndNotOthers) {
    make_slow({});
    EXPECT_EQ(answered(8, 4800), 40u);  // 55 Mbit/s through a line of 20
    EXPECT_LE(relays_[0]->lines.most_queued(relays_[1]->id), (256u << 10) + 4096) << "0.1 s of the line";
    EXPECT_LE(relays_[0]->relay.queued_cells(), 8 * RelayLimits{}.maximum_queued_cells_per_path);
    EXPECT_GT(relays_[0]->relay.counters().paths_evicted, 0u) << "those that kept to no window";
}

TEST_F(RelayFlood, ByManyPathsTakesFromTheLongestQueueFirst) {
    RelayLimits limits;
    limits.maximum_queued_cells = 1000;  // a twentieth of what the paths may hold by their own bounds
    make_slow(limits);
    EXPECT_EQ(answered(40, 4800), 40u);
    EXPECT_LE(relays_[0]->relay.queued_cells(), 1000u);
    EXPECT_GT(relays_[0]->relay.counters().paths_evicted, 0u);
}

}  // namespace
}  // namespace planetserve::onion
