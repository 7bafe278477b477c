#include "committee/registry.h"

#include <gtest/gtest.h>

#include <chrono>

namespace planetserve::committee {
namespace {

struct Member {
    crypto::Identity identity;
    crypto::AgreementKey onion;
    NodeDescriptor descriptor;
};

Member make_member(Random& random, wire::Role role = wire::Role::user) {
    Member member{crypto::Identity::generate(random), crypto::AgreementKey::generate(random), {}};
    member.descriptor = {
        member.identity.id(), role, member.onion.public_key(), {{"127.0.0.1", 7700}}, {}, 0, "", "test"};
    if (role == wire::Role::model) {
        member.descriptor.models = {{"m", 4096, "llama.cpp", true, {}}};
        member.descriptor.capacity = 4;
    }
    return member;
}

Genesis make_genesis(Random& random) {
    auto validator = crypto::Identity::generate(random);
    Genesis genesis{"test", UnixTime{1'000'000}, {{"v", validator.id(), 1, {"127.0.0.1", 1}}}, {}};
    genesis.parameters.update_interval_ms = 0;
    return genesis;
}

class RegistryTest : public testing::Test {
protected:
    Transaction transaction(const Member& member, std::int64_t sequence) {
        return {genesis_.network(), member.identity.id(), static_cast<std::uint64_t>(sequence),
                Register{member.descriptor}};
    }
    // A block with these transactions; how many were taken.
    std::size_t block(Registry& registry, std::int64_t time, const std::vector<Transaction>& transactions) {
        registry.begin_block(registry.height() + 1, UnixTime{time});
        std::size_t taken = 0;
        for (const auto& item : transactions) taken += registry.apply(item) ? 1 : 0;
        changes_ = registry.commit();
        return taken;
    }

    SeededRandom random_{5};
    Genesis genesis_ = make_genesis(random_);
    Changes changes_;
};

TEST_F(RegistryTest, RegistersRenewsAndExpires) {
    Registry registry(genesis_);
    Member member = make_member(random_, wire::Role::model);
    const std::int64_t start = 2'000'000;
    EXPECT_EQ(block(registry, start, {transaction(member, start)}), 1u);
    ASSERT_TRUE(registry.entries().at(member.identity.id()).descriptor);
    EXPECT_EQ(*registry.entries().at(member.identity.id()).descriptor, member.descriptor);
    Transaction renew{genesis_.network(), member.identity.id(), static_cast<std::uint64_t>(start + 20'000),
                      Renew{{3, 1, 250}}};
    EXPECT_EQ(block(registry, start + 20'000, {renew}), 1u);
    EXPECT_EQ(registry.entries().at(member.identity.id()).load, (Load{3, 1, 250}));
    EXPECT_EQ(block(registry, start + 49'000, {}), 0u);
    EXPECT_TRUE(registry.entries().at(member.identity.id()).descriptor) << "the lease was renewed";
    block(registry, start + 50'000, {});
    EXPECT_FALSE(registry.entries().at(member.identity.id()).descriptor) << "and ran out";
    block(registry, start + 50'000 + 600'000, {});
    EXPECT_TRUE(registry.entries().empty()) << "nothing is remembered for ever";
}

TEST_F(RegistryTest, RefusesReplaysStrangersAndWrongClocks) {
    Registry registry(genesis_);
    Member member = make_member(random_);
    auto first = transaction(member, 2'000'000);
    EXPECT_EQ(block(registry, 2'000'000, {first, first}), 1u);
    Transaction leave{genesis_.network(), member.identity.id(), 2'000'001, Deregister{}};
    EXPECT_EQ(block(registry, 2'000'100, {leave}), 1u);
    EXPECT_EQ(block(registry, 2'000'200, {first}), 0u) << "a node that left is not brought back by its old words";
    EXPECT_EQ(block(registry, 2'000'300, {transaction(make_member(random_), 2'000'300 + 400'000)}), 0u);
    EXPECT_EQ(block(registry, 2'000'300, {{genesis_.network(), random_.id<NodeId>(), 2'000'300, Renew{}}}), 0u);
    auto elsewhere = transaction(make_member(random_), 2'000'300);
    elsewhere.network.value[0] ^= 1;
    EXPECT_EQ(block(registry, 2'000'300, {elsewhere}), 0u);
}

TEST_F(RegistryTest, SignaturesAndLimitsAreChecked) {
    Member member = make_member(random_);
    Bytes bytes = sign(transaction(member, 1), member.identity);
    ASSERT_TRUE(parse_transaction(bytes)) << parse_transaction(bytes).error().message;
    for (std::size_t i = 0; i < bytes.size(); i += 7) {
        Bytes changed = bytes;
        changed[i] ^= 1;
        EXPECT_FALSE(parse_transaction(changed)) << i;
    }
    Member other = make_member(random_);
    auto forged = transaction(member, 1);
    forged.sender = other.identity.id();
    EXPECT_FALSE(parse_transaction(sign(forged, other.identity))) << "registering somebody else";
    auto bad = [&](auto&& change) {
        Member wrong = member;
        change(wrong.descriptor);
        return !parse_transaction(sign(transaction(wrong, 1), member.identity));
    };
    EXPECT_TRUE(bad([](NodeDescriptor& d) { d.addresses.clear(); }));
    EXPECT_TRUE(bad([](NodeDescriptor& d) { d.addresses.assign(5, {"127.0.0.1", 1}); }));
    EXPECT_TRUE(bad([](NodeDescriptor& d) { d.models = {{"m", 1, "", false, {}}}; }));
    EXPECT_TRUE(bad([](NodeDescriptor& d) { d.role = wire::Role::model; }));
    EXPECT_TRUE(bad([](NodeDescriptor& d) { d.operator_name = "a\nb"; }));
    EXPECT_FALSE(parse_transaction(Bytes(20000)));
}

// The same random blocks, with a plain map as twin, replayed from a snapshot in the middle.
TEST_F(RegistryTest, AgreesWithANaiveTwinAndReplaysToTheSameHash) {
    struct Twin {
        std::int64_t expires;
        std::uint64_t sequence;
    };
    Registry registry(genesis_), replayed(genesis_);
    std::map<NodeId, Twin> twin;
    std::map<NodeId, Bytes> stored;
    std::vector<Member> members;
    for (int i = 0; i < 20; ++i) members.push_back(make_member(random_));
    std::int64_t now = 2'000'000;
    for (int height = 1; height <= 300; ++height) {
        now += static_cast<std::int64_t>(random_.below(5000));
        std::vector<Transaction> transactions;
        for (std::uint64_t i = random_.below(4); i > 0; --i) {
            const Member& member = members[random_.below(members.size())];
            auto item = transaction(member, now - static_cast<std::int64_t>(random_.below(2000)));
            std::uint64_t kind = random_.below(4);
            if (kind == 1 || kind == 2) item.body = Renew{{static_cast<std::uint32_t>(height), 0, 0}};
            if (kind == 3) item.body = Deregister{};
            transactions.push_back(item);
        }
        block(registry, now, transactions);
        for (auto& [id, value] : changes_) {
            if (value)
                stored[id] = *value;
            else
                stored.erase(id);
        }
        block(replayed, now, transactions);
        ASSERT_EQ(replayed.app_hash(), registry.app_hash());
        for (const auto& item : transactions) {
            auto found = twin.find(item.sender);
            bool live = found != twin.end() && found->second.expires >= 0;
            if (found != twin.end() && item.sequence <= found->second.sequence) continue;
            if (!std::holds_alternative<Register>(item.body) && !live) continue;
            bool leaves = std::holds_alternative<Deregister>(item.body);
            twin[item.sender] = {leaves ? -1 : now + genesis_.parameters.lease_ms, item.sequence};
        }
        for (auto& [id, entry] : twin)
            if (entry.expires >= 0 && entry.expires <= now) entry.expires = -1;
        std::size_t live = 0;
        for (auto& [id, entry] : twin) {
            auto found = registry.entries().find(id);
            bool there = found != registry.entries().end() && found->second.descriptor.has_value();
            EXPECT_EQ(there, entry.expires >= 0) << "height " << height;
            live += entry.expires >= 0 ? 1 : 0;
        }
        auto parsed = parse_state(registry.serialise());
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->app_hash, registry.app_hash()) << "the list alone gives the hash";
        if (height == 150) {
            Registry restored(genesis_);
            ASSERT_TRUE(restored.restore(stored, registry.height(), registry.time()));
            EXPECT_EQ(restored.app_hash(), registry.app_hash());
            EXPECT_EQ(restored.entries(), registry.entries());
            replayed = restored;
        }
    }
}

TEST_F(RegistryTest, GenesisRoundTripsAndNamesWhatIsWrong) {
    auto parsed = Genesis::parse(genesis_.to_json());
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->network(), genesis_.network());
    auto wrong = [&](const std::string& from, const std::string& to) {
        std::string text = genesis_.to_json();
        text.replace(text.find(from), from.size(), to);
        auto result = Genesis::parse(text);
        return result ? std::string("accepted") : result.error().message;
    };
    EXPECT_NE(wrong("chain_id", "chian_id").find("unknown key 'chian_id'"), std::string::npos);
    EXPECT_NE(wrong("\"power\":1", "\"power\":0").find("validators.power"), std::string::npos);
    EXPECT_NE(wrong("127.0.0.1:1", "nowhere").find("validators.address"), std::string::npos);
    EXPECT_FALSE(Genesis::parse("{"));
    EXPECT_FALSE(Genesis::parse("[]"));
}

}  // namespace
}  // namespace planetserve::committee
