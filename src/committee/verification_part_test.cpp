// Verification as a part of the registry's state: one hash, one list, one store.

#include <gtest/gtest.h>

#include "committee/verified_network_fixture.h"

namespace planetserve::committee {
namespace {

using verification::Phase;

TEST_F(Verified, AGenesisSaysHowAndAnotherWayIsAnotherNetwork) {
    auto parsed = Genesis::parse(genesis_.to_json());
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->parameters, genesis_.parameters);
    EXPECT_EQ(parsed->network(), genesis_.network());
    Genesis other = genesis_;
    other.parameters.verification->tau = 1;
    EXPECT_NE(other.network(), genesis_.network());
    other.parameters.verification.reset();
    EXPECT_EQ(other.to_json().find("verification"), std::string::npos);
    std::string json = genesis_.to_json();
    json.replace(json.find("\"tau\""), 5, "\"taw\"");
    EXPECT_NE(Genesis::parse(json).error().message.find("taw"), std::string::npos);
    json = genesis_.to_json();
    json.replace(json.find("\"epoch_ms\":20000"), 16, "\"epoch_ms\":20");
    EXPECT_FALSE(Genesis::parse(json));
}

TEST_F(Verified, AGenesisNamesWhatChallengesAreMadeOf) {
    Genesis other = genesis_;
    other.parameters.prompt_pool = crypto::sha256(as_bytes("conversations"));
    EXPECT_NE(other.network(), genesis_.network());
    auto parsed = Genesis::parse(other.to_json());
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->parameters, other.parameters);
    auto refused = [&](std::string_view what, std::string_view by) {
        std::string json = other.to_json();
        json.replace(json.find(what), what.size(), by);
        auto broken = Genesis::parse(json);
        EXPECT_FALSE(broken) << json;
        return broken ? "" : broken.error().message;
    };
    EXPECT_NE(refused(to_hex(*other.parameters.prompt_pool), "abcd").find("prompt_pool"), std::string::npos);
    other.parameters.verification.reset();
    EXPECT_NE(refused("", "").find("without"), std::string::npos);
}

TEST_F(Verified, ListsBringReputationsUnderTheSameHash) {
    Registry registry(genesis_);
    Member node = make_member(random_, wire::Role::model);
    block(registry, 1'000'100,
          {sign(make_register(node.descriptor, genesis_.network(), 1'000'100, node.identity), node.identity)});
    for (int epoch = 0; epoch < 3; ++epoch) {
        judge(registry, node.identity.id(), 0);
        auto parsed = parse_state(registry.serialise());
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(parsed->app_hash, registry.app_hash());
        ASSERT_TRUE(parsed->reputations);
        EXPECT_EQ(parsed->reputations->of(node.identity.id()), registry.verification()->reputation(node.identity.id()));
        EXPECT_EQ(parsed->reputations->standings.at(node.identity.id()).scores, static_cast<std::uint64_t>(epoch) + 1);
        EXPECT_FALSE(parsed->reputations->trusted(node.identity.id()));
        EXPECT_TRUE(parsed->reputations->trusted(verifiers_[0].id())) << "one without a score";
        EXPECT_FALSE(is_trusted(parsed->reputations, node.identity.id()));
        EXPECT_TRUE(is_trusted(std::nullopt, node.identity.id())) << "where nothing is verified";
    }
    EXPECT_TRUE(refused_.empty()) << refused_.front().message;
    // A proof of an entry counts the other leaves too.
    block(registry, registry.time().milliseconds + 100,
          {sign(make_register(node.descriptor, genesis_.network(),
                              static_cast<std::uint64_t>(registry.time().milliseconds) + 100, node.identity),
                node.identity)});
    auto proof = registry.prove(node.identity.id());
    ASSERT_TRUE(proof);
    EXPECT_TRUE(verify_entry(node.identity.id(), *proof, registry.app_hash()));
    // Another reputation is another hash.
    std::string bytes(as_text(registry.serialise()));
    auto standing =
        verification::encode_standing(node.identity.id(), registry.verification()->standings().begin()->second);
    auto better = registry.verification()->standings().begin()->second;
    better.reputation = verification::one;
    auto forged = verification::encode_standing(node.identity.id(), better);
    if (forged.size() == standing.size()) {
        bytes.replace(bytes.find(as_text(standing)), standing.size(), as_text(forged));
        EXPECT_NE(parse_state(as_bytes(bytes))->app_hash, registry.app_hash());
    }
}

TEST_F(Verified, ComesBackFromItsStoreAndFromASnapshot) {
    Registry registry(genesis_);
    Member node = make_member(random_, wire::Role::model);
    judge(registry, node.identity.id(), 900'000);
    judge(registry, node.identity.id(), 100'000);
    for (bool snapshot : {false, true}) {
        Registry restored(genesis_);
        auto done = snapshot ? restored.restore(registry.serialise(), registry.height(), registry.time())
                             : restored.restore(stored_, registry.height(), registry.time());
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_EQ(restored.app_hash(), registry.app_hash());
        EXPECT_EQ(restored.verification()->reputation(node.identity.id()),
                  registry.verification()->reputation(node.identity.id()));
        Registry a = restored, b = registry;
        judge(a, node.identity.id(), 700'000);
        judge(b, node.identity.id(), 700'000);
        EXPECT_EQ(a.app_hash(), b.app_hash());
    }
    Genesis other = genesis_;
    other.parameters.verification.reset();
    EXPECT_FALSE(Registry(other).restore(stored_, 1, registry.time()));
    Registry without(other);
    Values entries;
    EXPECT_TRUE(without.restore(entries, 1, registry.time()));
    EXPECT_FALSE(Registry(genesis_).restore(entries, 1, registry.time()));
}

TEST_F(Verified, OnlyVerifiersAreHeardAndOnlyForThemselves) {
    Registry registry(genesis_);
    block(registry, 1'000'100);
    auto stranger = crypto::Identity::generate(random_);
    auto draw =
        verification::Draw{crypto::vrf_prove(stranger, registry.verification()->alpha(verification::Purpose::draw))};
    block(registry, 1'000'200, {signed_word(stranger, draw, registry)});
    ASSERT_EQ(refused_.size(), 1u);
    EXPECT_EQ(refused_[0].code, ErrorCode::permission_denied);
    // Another's word in an envelope of one's own.
    verification::Transaction word{genesis_.network(), verifiers_[0].id(), 0,
                                   verification::Draw{crypto::vrf_prove(
                                       verifiers_[0], registry.verification()->alpha(verification::Purpose::draw))}};
    Bytes stolen =
        sign({genesis_.network(), verifiers_[1].id(), 1'000'200, Verify{verification::sign(word, verifiers_[0]), word}},
             verifiers_[1]);
    EXPECT_EQ(parse_transaction(stolen).error().code, ErrorCode::permission_denied);
    Genesis other = genesis_;
    other.parameters.verification.reset();
    Registry without(other);
    word.network = other.network();
    Bytes unasked =
        sign({other.network(), verifiers_[0].id(), 1'000'200, Verify{verification::sign(word, verifiers_[0]), word}},
             verifiers_[0]);
    without.begin_block(1, UnixTime{1'000'200});
    EXPECT_EQ(without.apply(unasked).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace planetserve::committee
