#include <gtest/gtest.h>

#include "committee/committee_fixture.h"
#include "committee/embedded_consensus.h"

namespace planetserve::committee {
namespace {

class EngineTest : public testing::Test {
protected:
    EngineTest()
        : validator_(crypto::Identity::generate(random_)),
          genesis_{"test", UnixTime{1'000'000}, {{"v", validator_.id(), 1, {"127.0.0.1", 1}}}, {}} {}

    std::unique_ptr<EmbeddedConsensus> open(Store& store) {
        auto engine = EmbeddedConsensus::open(genesis_, validator_, store);
        if (!engine) ADD_FAILURE() << engine.error().message;
        return engine ? std::move(*engine) : nullptr;
    }
    Bytes registration(const Member& member, std::int64_t time) {
        return sign(
            make_register(member.descriptor, genesis_.network(), static_cast<std::uint64_t>(time), member.identity),
            member.identity);
    }
    Bytes leave(const Member& member, std::int64_t time) {
        return sign({genesis_.network(), member.identity.id(), static_cast<std::uint64_t>(time), Deregister{}},
                    member.identity);
    }

    SeededRandom random_{11};
    crypto::Identity validator_;
    Genesis genesis_;
    MemoryStore store_;
};

TEST_F(EngineTest, MakesABlockOnlyWhenThereIsSomethingToPutInIt) {
    auto engine = open(store_);
    ASSERT_TRUE(engine->tick(UnixTime{2'000'000}));
    EXPECT_EQ(engine->registry().height(), 0);
    Member member = make_member(random_);
    ASSERT_TRUE(engine->submit(registration(member, 2'000'000), UnixTime{2'000'000}));
    ASSERT_TRUE(engine->tick(UnixTime{2'000'100}));
    auto height = engine->registry().height();
    EXPECT_GT(height, 0);
    EXPECT_EQ(engine->registry().nodes(), 1u);
    ASSERT_TRUE(engine->tick(UnixTime{2'005'099}));
    EXPECT_EQ(engine->registry().height(), height);
    auto hash = engine->registry().app_hash();
    for (std::int64_t time = 2'005'100; time < 2'030'100; time += 100) ASSERT_TRUE(engine->tick(UnixTime{time}));
    EXPECT_EQ(engine->registry().height(), height + 5) << "signs of life";
    EXPECT_EQ(engine->registry().app_hash(), hash);
    ASSERT_TRUE(engine->tick(UnixTime{2'030'100}));
    EXPECT_EQ(engine->registry().nodes(), 0u) << "a lease ran out";
    height = engine->registry().height();
    ASSERT_TRUE(engine->tick(UnixTime{2'100'000}));
    EXPECT_EQ(engine->registry().height(), height) << "with nobody in it";
}

TEST_F(EngineTest, NobodyFillsABlockAlone) {
    auto engine = open(store_);
    Member member = make_member(random_), other = make_member(random_);
    ASSERT_TRUE(engine->submit(registration(member, 2'000'000), UnixTime{2'000'000}));
    auto second = engine->submit(registration(member, 2'000'700), UnixTime{2'000'000});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::exhausted);
    EXPECT_TRUE(engine->submit(registration(other, 2'000'000), UnixTime{2'000'000}));
    ASSERT_TRUE(engine->tick(UnixTime{2'000'100}));
    EXPECT_TRUE(engine->submit(leave(member, 2'000'200), UnixTime{2'000'150})) << "one may leave at any time";
    EXPECT_FALSE(engine->submit(leave(member, 2'000'300), UnixTime{2'000'150})) << "once";
    ASSERT_TRUE(engine->tick(UnixTime{2'000'200}));
    EXPECT_EQ(engine->registry().nodes(), 1u);
}

TEST_F(EngineTest, ARestartGivesTheSameStateAndARegistryBegunAnewComesAfterTheLostOne) {
    Member member = make_member(random_);
    crypto::Digest hash{};
    std::int64_t height = 0;
    {
        auto engine = open(store_);
        for (std::int64_t time = 2'000'000; time < 2'010'000; time += 1000) {
            ASSERT_TRUE(engine->submit(registration(member, time), UnixTime{time}));
            ASSERT_TRUE(engine->tick(UnixTime{time}));
        }
        hash = engine->registry().app_hash();
        height = engine->registry().height();
    }
    auto again = open(store_);
    EXPECT_EQ(again->registry().app_hash(), hash);
    EXPECT_EQ(again->registry().height(), height);
    MemoryStore empty;
    auto anew = open(empty);
    ASSERT_TRUE(anew->submit(registration(member, 2'020'000), UnixTime{2'020'000}));
    ASSERT_TRUE(anew->tick(UnixTime{2'020'000}));
    EXPECT_GT(anew->registry().height(), height);
}

TEST_F(EngineTest, ADamagedStoreAndAnotherNodesGenesisAreRefused) {
    {
        auto engine = open(store_);
        ASSERT_TRUE(engine->submit(registration(make_member(random_), 2'000'000), UnixTime{2'000'000}));
        ASSERT_TRUE(engine->tick(UnixTime{2'000'000}));
    }
    MemoryStore damaged = store_;
    damaged.stored->app_hash[0] ^= 1;
    auto opened = EmbeddedConsensus::open(genesis_, validator_, damaged);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("move it away"), std::string::npos);
    damaged = store_;
    Bytes value = damaged.stored->entries.begin()->second;
    damaged.stored->entries = {{to_bytes(random_.id<NodeId>().bytes()), value}};
    EXPECT_FALSE(EmbeddedConsensus::open(genesis_, validator_, damaged)) << "an entry under another's id";
    EXPECT_FALSE(EmbeddedConsensus::open(genesis_, crypto::Identity::generate(random_), store_));
}

TEST_F(EngineTest, AHeaderIsSignedAnewAsTimeGoesOn) {
    auto engine = open(store_);
    StateHeader first = engine->header(UnixTime{2'000'000});
    EXPECT_TRUE(verify_header(first, genesis_, genesis_.network()));
    EXPECT_EQ(engine->header(UnixTime{2'000'500}).time, first.time);
    StateHeader later = engine->header(UnixTime{2'001'500});
    EXPECT_EQ(later.time, UnixTime{2'001'500});
    EXPECT_TRUE(verify_header(later, genesis_, genesis_.network()));
    later.time = first.time;
    EXPECT_FALSE(verify_header(later, genesis_, genesis_.network()));
}

}  // namespace
}  // namespace planetserve::committee
