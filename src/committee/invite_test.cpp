// Invites, and the genesis that their contacts hand out.

#include "committee/invite.h"

#include <gtest/gtest.h>

#include "committee/committee.pb.h"
#include "committee/committee_fixture.h"
#include "committee/directory_server.h"
#include "committee/founding.h"
#include "crypto/base64.h"

namespace planetserve::committee {
namespace {

class InviteTest : public testing::Test {
protected:
    Genesis genesis_of(std::size_t validators) {
        Genesis genesis{"kitchens", UnixTime{1}, {}, {}};
        for (std::size_t i = 0; i < validators; ++i)
            genesis.validators.push_back(
                {"v", random_.id<NodeId>(), 1, {"host-" + std::to_string(i) + ".example", 7700}});
        return genesis;
    }

    SeededRandom random_{5};
};

TEST_F(InviteTest, SurvivesBeingWrittenSentAndPasted) {
    const Invite invite = invite_to(genesis_of(3), random_);
    EXPECT_EQ(invite.contacts.size(), 3u);
    const std::string text = invite.to_text();
    EXPECT_TRUE(text.starts_with("planetserve:"));
    auto read = Invite::parse(text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, invite);
    // Mail programs wrap lines.
    auto wrapped = Invite::parse("  " + text.substr(0, 70) + "\r\n" + text.substr(70) + "\n");
    ASSERT_TRUE(wrapped);
    EXPECT_EQ(*wrapped, invite);
}

TEST_F(InviteTest, NamesAFewOfManyAndEachOnce) {
    const Invite invite = invite_to(genesis_of(30), random_);
    EXPECT_EQ(invite.contacts.size(), most_contacts);
    std::set<NodeId> ids;
    for (const auto& contact : invite.contacts) ids.insert(contact.id);
    EXPECT_EQ(ids.size(), most_contacts);
    EXPECT_LE(invite.to_text().size(), longest_invite);
}

TEST_F(InviteTest, EverySlipOfAHandIsNoticed) {
    const std::string text = invite_to(genesis_of(1), random_).to_text();
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string wrong = text;
        wrong[i] = wrong[i] == 'x' ? 'y' : 'x';
        auto read = Invite::parse(wrong);
        ASSERT_FALSE(read) << i;
        EXPECT_EQ(read.error().code, ErrorCode::malformed);
        EXPECT_FALSE(Invite::parse(text.substr(0, i))) << i;
    }
    EXPECT_FALSE(Invite::parse(text + text));
    EXPECT_FALSE(Invite::parse(std::string(longest_invite + 1, 'x')));
}

TEST_F(InviteTest, AnotherVersionIsNamedAsSuch) {
    Bytes body{2};
    append(body, crypto::sha256(body));
    body.resize(5);
    auto read = Invite::parse("planetserve:" + crypto::to_base64url(body));
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("version 2"), std::string::npos) << read.error().message;
}

class FoundingTest : public testing::Test {
protected:
    FoundingTest() : validator_(crypto::Identity::generate(random_)) {
        genesis_ = {"test", UnixTime{1}, {{"v", validator_.id(), 1, {"127.0.0.1", 1}}}, {}};
    }
    Bytes answer(const Genesis& genesis, UnixTime time) {
        proto::Answer answer;
        answer.mutable_founding()->set_genesis(genesis.to_json());
        answer.mutable_founding()->set_time_ms(time.milliseconds);
        Bytes payload(8);
        append(payload, as_bytes(answer.SerializeAsString()));
        return payload;
    }

    SeededRandom random_{6};
    TestClock clock_;
    crypto::Identity validator_;
    Genesis genesis_;
};

TEST_F(FoundingTest, AVerificationNodeHandsOutTheGenesis) {
    MemoryStore store;
    auto engine = std::move(EmbeddedConsensus::open(genesis_, validator_, store).value());
    DirectoryServer server(*engine, genesis_);
    auto reply = call(server, random_.id<NodeId>(), founding_call(), clock_.read());
    ASSERT_TRUE(reply);
    auto founding = read_founding(*reply, genesis_.network());
    ASSERT_TRUE(founding) << founding.error().message;
    EXPECT_EQ(founding->genesis.to_json(), genesis_.to_json());
    EXPECT_EQ(founding->time, clock_.unix_now());
}

TEST_F(FoundingTest, AnotherGenesisIsRefusedWhateverItSays) {
    Genesis other = genesis_;
    other.validators[0].id = random_.id<NodeId>();
    auto read = read_founding(answer(other, UnixTime{1}), genesis_.network());
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::authentication);
    for (const Bytes& bad : {Bytes{}, Bytes(8), Bytes(9, 0xff), answer(genesis_, UnixTime{-1}),
                             answer(genesis_, UnixTime{std::numeric_limits<std::int64_t>::max()})})
        EXPECT_FALSE(read_founding(bad, genesis_.network()));
}

TEST_F(FoundingTest, AClockThatIsOffIsNamedWithItsDistance) {
    const Founding founding{genesis_, UnixTime{1'800'000'000'000}};
    EXPECT_TRUE(check_clock(founding, founding.time + 299s));
    auto ahead = check_clock(founding, founding.time + 3600s);
    ASSERT_FALSE(ahead);
    EXPECT_NE(ahead.error().message.find("3600 s ahead of its clock"), std::string::npos) << ahead.error().message;
    auto behind = check_clock(founding, founding.time + -3600s);
    ASSERT_FALSE(behind);
    EXPECT_NE(behind.error().message.find("3600 s behind its clock"), std::string::npos) << behind.error().message;
}

}  // namespace
}  // namespace planetserve::committee
