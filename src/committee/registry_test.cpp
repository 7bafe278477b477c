#include "committee/registry.h"

#include <gtest/gtest.h>

#include "committee/committee_fixture.h"

namespace planetserve::committee {
namespace {

Genesis make_genesis(Random& random) {
    auto validator = crypto::Identity::generate(random);
    Genesis genesis{"test", UnixTime{1'000'000}, {{"v", validator.id(), 1, {"127.0.0.1", 1}}}, {}};
    genesis.parameters.update_interval_ms = 0;
    return genesis;
}

class RegistryTest : public testing::Test {
protected:
    Transaction transaction(const Member& member, std::int64_t sequence) {
        return make_register(member.descriptor, genesis_.network(), static_cast<std::uint64_t>(sequence),
                             member.identity);
    }
    // A block with these transactions; how many were taken.
    std::size_t block(Registry& registry, std::int64_t time, const std::vector<Transaction>& transactions) {
        registry.begin_block(registry.height() + 1, UnixTime{time});
        std::size_t taken = 0;
        for (const auto& item : transactions) taken += registry.apply(item) ? 1 : 0;
        changes_ = registry.commit();
        return taken;
    }

    // Empty blocks until then, as often as a live chain makes them.
    void pass(Registry& registry, std::int64_t until) {
        while (registry.time().milliseconds < until)
            block(registry, std::min(until, registry.time().milliseconds + 5000), {});
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
    member.descriptor.sequence = start;
    EXPECT_EQ(*registry.entries().at(member.identity.id()).descriptor, member.descriptor);
    pass(registry, start + 20'000);
    Transaction renew{genesis_.network(), member.identity.id(), static_cast<std::uint64_t>(start + 20'000),
                      Renew{{3, 1, 250}}};
    EXPECT_EQ(block(registry, start + 20'000, {renew}), 1u);
    EXPECT_EQ(registry.entries().at(member.identity.id()).load, (Load{3, 1, 250}));
    pass(registry, start + 49'999);
    EXPECT_TRUE(registry.entries().at(member.identity.id()).descriptor) << "the lease was renewed";
    block(registry, start + 50'000, {});
    EXPECT_FALSE(registry.entries().at(member.identity.id()).descriptor) << "and ran out";
    block(registry, start + 50'000 + 600'000, {});
    EXPECT_TRUE(registry.entries().empty()) << "nothing is remembered for ever";
}

// A chain that stood still, its validators being down, does not drop those who could not renew.
TEST_F(RegistryTest, LeasesDoNotRunWhileThereAreNoBlocks) {
    Registry registry(genesis_);
    Member present = make_member(random_), gone = make_member(random_);
    const std::int64_t start = 2'000'000, hour = 3'600'000;
    EXPECT_EQ(block(registry, start, {transaction(present, start), transaction(gone, start)}), 2u);
    pass(registry, start + 8'000);
    block(registry, start + 8'000 + hour, {});
    EXPECT_EQ(registry.nodes(), 2u);
    auto now = static_cast<std::uint64_t>(start + hour + 20'000);
    pass(registry, static_cast<std::int64_t>(now));
    EXPECT_EQ(block(registry, static_cast<std::int64_t>(now),
                    {{genesis_.network(), present.identity.id(), now, Renew{{1, 1, 1}}}}),
              1u);
    pass(registry, start + hour + 29'999);
    EXPECT_EQ(registry.nodes(), 2u) << "what was left of the lease is still there";
    pass(registry, start + hour + 30'000);
    EXPECT_EQ(registry.nodes(), 1u) << "and no more than that";
    pass(registry, static_cast<std::int64_t>(now) + 30'000);
    EXPECT_EQ(registry.nodes(), 0u);
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

// Before: a name was taken, and each node that was told to go there waited for its resolver.
TEST_F(RegistryTest, NamesInPlaceOfAddressesAreRefused) {
    Registry registry(genesis_);
    registry.begin_block(1, UnixTime{2'000'000});
    Member member = make_member(random_);
    member.descriptor.addresses = {{"192.0.2.7", 1}, {"dead.example.org", 7701}};
    auto refused = registry.apply(transaction(member, 2'000'000));
    ASSERT_FALSE(refused);
    EXPECT_EQ(
        refused.error().message,
        "descriptor: addresses must be IP addresses, and dead.example.org:7701 is a name; a node resolves its own "
        "(advertise)");
    member.descriptor.addresses.pop_back();
    EXPECT_TRUE(registry.apply(transaction(member, 2'000'000)));
}

TEST_F(RegistryTest, SequencesAreOfTheSendersClockWhateverTheirBits) {
    Registry registry(genesis_);
    const std::int64_t now = 2'000'000, off = genesis_.parameters.clock_tolerance_ms + 1;
    registry.begin_block(1, UnixTime{now});
    for (std::uint64_t sequence :
         {std::uint64_t{0}, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + now, UINT64_MAX, UINT64_MAX - now,
          static_cast<std::uint64_t>(now + off), static_cast<std::uint64_t>(now - off)}) {
        auto refused = registry.apply(transaction(make_member(random_), static_cast<std::int64_t>(sequence)));
        ASSERT_FALSE(refused) << sequence;
        EXPECT_NE(refused.error().message.find("clock"), std::string::npos) << refused.error().message;
    }
    EXPECT_TRUE(registry.apply(transaction(make_member(random_), now + off - 1)));
    EXPECT_TRUE(registry.apply(transaction(make_member(random_), now - off + 1)));
}

TEST_F(RegistryTest, ANodesRateIsThatOfBlocksNotOfItsOwnClock) {
    genesis_.parameters.update_interval_ms = 500;
    Registry registry(genesis_);
    Member member = make_member(random_);
    EXPECT_EQ(block(registry, 2'000'000, {transaction(member, 1'900'000), transaction(member, 1'910'000)}), 1u);
    EXPECT_EQ(block(registry, 2'000'499, {transaction(member, 1'920'000)}), 0u);
    EXPECT_EQ(block(registry, 2'000'500, {transaction(member, 1'930'000)}), 1u);
    Transaction leave{genesis_.network(), member.identity.id(), 1'930'001, Deregister{}};
    EXPECT_EQ(block(registry, 2'000'501, {leave, leave}), 1u) << "one may leave at any time, once";
    EXPECT_EQ(block(registry, 2'000'600, {transaction(member, 1'940'000)}), 0u);
    EXPECT_EQ(block(registry, 2'001'001, {transaction(member, 1'940'000)}), 1u);
}

TEST_F(RegistryTest, NodesAndWhatIsRememberedOfThemAreBounded) {
    genesis_.parameters.maximum_nodes = 3;
    Registry registry(genesis_);
    std::vector<Member> members;
    for (int i = 0; i < 8; ++i) members.push_back(make_member(random_));
    std::int64_t now = 2'000'000;
    auto join = [&](const Member& member) {
        ++now;
        return block(registry, now, {transaction(member, now)});
    };
    for (int i = 0; i < 3; ++i) EXPECT_EQ(join(members[i]), 1u);
    EXPECT_EQ(join(members[3]), 0u) << "full";
    EXPECT_EQ(join(members[0]), 1u) << "those that are in stay";
    // New identities that come and leave at once fill what is remembered, and no more than that.
    auto leave = [&](const Member& member) {
        ++now;
        return Transaction{genesis_.network(), member.identity.id(), static_cast<std::uint64_t>(now), Deregister{}};
    };
    std::size_t came = 0;
    for (int i = 0; i < 8; ++i) {
        std::size_t taken = join(members[i]);
        came += taken;
        if (taken == 1) block(registry, now + 1, {leave(members[i])});
        EXPECT_LE(registry.entries().size(), 6u);
    }
    EXPECT_EQ(came, 6u);
    EXPECT_EQ(registry.nodes(), 0u);
    now += 2 * genesis_.parameters.clock_tolerance_ms + 100;
    block(registry, now, {});
    EXPECT_TRUE(registry.entries().empty());
    EXPECT_EQ(join(members[7]), 1u);
}

TEST_F(RegistryTest, TheListsSizeIsBounded) {
    genesis_.parameters.maximum_list_bytes = 64 << 10;
    Registry registry(genesis_);
    std::size_t taken = 0;
    for (std::int64_t i = 1; i <= 20; ++i)
        taken += block(registry, 2'000'000 + i, {transaction(make_large_member(random_), 2'000'000 + i)});
    EXPECT_GE(taken, 6u);
    EXPECT_LT(taken, 10u);
    EXPECT_LE(registry.serialise().size(), 64u << 10);
}

TEST_F(RegistryTest, EveryEntryIsProvenUnderTheHash) {
    Registry registry(genesis_);
    std::vector<Member> members;
    std::vector<Transaction> all;
    for (int i = 0; i < 21; ++i) {
        members.push_back(make_member(random_));
        all.push_back(transaction(members.back(), 2'000'000));
    }
    ASSERT_EQ(block(registry, 2'000'000, all), members.size());
    for (const Member& member : members) {
        auto proof = registry.prove(member.identity.id());
        ASSERT_TRUE(proof);
        EXPECT_TRUE(verify_entry(member.identity.id(), *proof, registry.app_hash()));
        EXPECT_EQ(parse_entry(proof->value)->second, registry.entries().at(member.identity.id()));
        EXPECT_FALSE(verify_entry(members[&member == &members[0] ? 1 : 0].identity.id(), *proof, registry.app_hash()));
        proof->value.back() ^= 1;
        EXPECT_FALSE(verify_entry(member.identity.id(), *proof, registry.app_hash()));
    }
    EXPECT_FALSE(registry.prove(random_.id<NodeId>()));
}

TEST_F(RegistryTest, ASnapshotGivesTheSameStateAndADamagedOneNothing) {
    Registry registry(genesis_);
    std::vector<Transaction> all;
    for (int i = 0; i < 10; ++i) all.push_back(transaction(make_member(random_), 2'000'000));
    block(registry, 2'000'000, all);
    Bytes snapshot = registry.serialise();
    Registry joined(genesis_);
    ASSERT_TRUE(joined.restore(snapshot, registry.height(), registry.time()));
    EXPECT_EQ(joined.app_hash(), registry.app_hash());
    EXPECT_EQ(joined.entries(), registry.entries());
    auto next = transaction(make_member(random_), 2'000'100);
    block(registry, 2'000'100, {next});
    block(joined, 2'000'100, {next});
    EXPECT_EQ(joined.app_hash(), registry.app_hash());
    for (std::size_t i = 0; i < snapshot.size(); i += 3) {
        Bytes damaged = snapshot;
        damaged[i] ^= 0x41;
        auto before = joined.app_hash();
        if (joined.restore(damaged, 1, UnixTime{1})) {
            EXPECT_NE(joined.app_hash(), registry.app_hash());
            ASSERT_TRUE(joined.restore(registry.serialise(), registry.height(), registry.time()));
        }
        EXPECT_EQ(joined.app_hash(), before);
    }
}

TEST_F(RegistryTest, EntriesAreHashedAsTheyAreSoThatLaterFieldsDoNoHarm) {
    Member member = make_member(random_);
    Registry registry(genesis_);
    block(registry, 2'000'000, {transaction(member, 2'000'000)});
    Bytes value = registry.prove(member.identity.id())->value;
    append(value, Bytes{0x98, 0x06, 0x01});  // field 99, a number
    Registry later(genesis_);
    ASSERT_TRUE(later.restore(Values{{to_bytes(member.identity.id().bytes()), value}}, 1, UnixTime{2'000'000}));
    auto parsed = parse_state(later.serialise());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->app_hash, later.app_hash());
    EXPECT_NE(parsed->app_hash, registry.app_hash());
    EXPECT_EQ(parsed->entries, registry.entries());
}

// The same random blocks, with a plain map as twin, replayed from a snapshot in the middle.
TEST_F(RegistryTest, AgreesWithANaiveTwinAndReplaysToTheSameHash) {
    struct Twin {
        std::int64_t expires;
        std::uint64_t sequence;
    };
    Registry registry(genesis_), replayed(genesis_);
    std::map<NodeId, Twin> twin;
    Values stored;
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
        for (auto& [id, entry] : twin) {
            auto found = registry.entries().find(id);
            bool there = found != registry.entries().end() && found->second.descriptor.has_value();
            EXPECT_EQ(there, entry.expires >= 0) << "height " << height;
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
    EXPECT_NE(wrong("\"renew_ms\":10000", "\"renew_ms\":15001").find("parameters.renew_ms"), std::string::npos);
    EXPECT_NE(wrong("\"lease_ms\":30000", "\"lease\":30000").find("unknown key 'parameters.lease'"), std::string::npos);
    EXPECT_EQ(wrong("\"renew_ms\":10000,", ""), "accepted");
    EXPECT_NE(wrong("127.0.0.1:1", "nowhere").find("validators.address"), std::string::npos);
    EXPECT_FALSE(Genesis::parse("{"));
    EXPECT_FALSE(Genesis::parse("[]"));
}

// Computed with another program: SHA-256(00 20 id 20 SHA-256(value)).
TEST(Entry, ItsLeafIsThatOfAValueProof) {
    NodeId id;
    for (std::uint8_t i = 0; i < 32; ++i) id.value[i] = i;
    EXPECT_EQ(to_hex(entry_leaf(id, to_bytes("value"))),
              "d3401296cbd0f070a1a0b80bc09071a71e4acdae1a38dbbcea3f90b9af572d1d");
}

}  // namespace
}  // namespace planetserve::committee
