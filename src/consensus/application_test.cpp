#include "consensus/application.h"

#include <gtest/gtest.h>

#include "committee/committee_fixture.h"
#include "consensus/abci.pb.h"

namespace planetserve::consensus {
namespace {

using committee::Member;
using committee::MemoryStore;

constexpr std::int64_t start = 2'000'000;

abci::Timestamp at(std::int64_t milliseconds) {
    abci::Timestamp time;
    time.set_seconds(milliseconds / 1000);
    time.set_nanos(static_cast<std::int32_t>(milliseconds % 1000) * 1'000'000 + 999);
    return time;
}

// A block as CometBFT decided it.
struct Block {
    std::int64_t height = 0;
    std::int64_t time = 0;
    std::vector<std::string> transactions;
};

class ApplicationTest : public testing::Test {
protected:
    ApplicationTest() {
        for (int i = 0; i < 4; ++i) {
            auto validator = crypto::Identity::generate(random_);
            auto port = static_cast<std::uint16_t>(7000 + i);
            genesis_.validators.push_back(
                {"v" + std::to_string(i), validator.id(), 1, {"127.0.0.1", port}, Endpoint{"127.0.0.1", port}});
        }
        for (int i = 0; i < 6; ++i) members_.push_back(committee::make_member(random_));
    }

    std::unique_ptr<Application> open(committee::Store& store) {
        auto application = Application::open(genesis_, store);
        if (!application) ADD_FAILURE() << application.error().message;
        return application ? std::move(*application) : nullptr;
    }
    static abci::Response ask(Application& application, const abci::Request& request, std::int64_t now = start) {
        auto response = application.handle(request, UnixTime{now});
        if (!response) ADD_FAILURE() << response.error().message;
        return response.value_or(abci::Response());
    }
    abci::Request init() const {
        abci::Request request;
        auto* chain = request.mutable_init_chain();
        chain->set_chain_id(genesis_.consensus_chain_id());
        chain->set_initial_height(1);
        for (const auto& validator : genesis_.validators) {
            auto* item = chain->add_validators();
            item->mutable_pub_key()->set_ed25519(to_string(validator.id.bytes()));
            item->set_power(1);
        }
        return request;
    }
    static abci::Request block_request(const Block& block) {
        abci::Request request;
        auto* finalize = request.mutable_finalize_block();
        finalize->set_height(block.height);
        *finalize->mutable_time() = at(block.time);
        for (const auto& transaction : block.transactions) finalize->add_txs(transaction);
        return request;
    }
    static std::string finalize(Application& application, const Block& block) {
        return ask(application, block_request(block)).finalize_block().app_hash();
    }
    static void commit(Application& application) {
        abci::Request request;
        request.mutable_commit();
        EXPECT_TRUE(ask(application, request).has_commit());
    }
    static abci::ResponseCheckTx check(Application& application, const std::string& transaction, std::int64_t now,
                                       bool again = false) {
        abci::Request request;
        request.mutable_check_tx()->set_tx(transaction);
        if (again) request.mutable_check_tx()->set_type(abci::RequestCheckTx::RECHECK);
        return ask(application, request, now).check_tx();
    }
    static std::vector<std::string> propose(Application& application, std::vector<std::string> transactions,
                                            std::int64_t time, std::int64_t room = 1 << 20) {
        abci::Request request;
        auto* prepare = request.mutable_prepare_proposal();
        prepare->set_max_tx_bytes(room);
        *prepare->mutable_time() = at(time);
        for (auto& transaction : transactions) prepare->add_txs(std::move(transaction));
        auto response = ask(application, request);
        return {response.prepare_proposal().txs().begin(), response.prepare_proposal().txs().end()};
    }
    static bool accepts(Application& application, const std::vector<std::string>& transactions, std::int64_t time) {
        abci::Request request;
        *request.mutable_process_proposal()->mutable_time() = at(time);
        for (const auto& transaction : transactions) request.mutable_process_proposal()->add_txs(transaction);
        return ask(application, request).process_proposal().status() == abci::ResponseProcessProposal::ACCEPT;
    }
    std::string registration(const Member& member, std::int64_t time) const {
        return to_string(committee::sign(committee::make_register(member.descriptor, genesis_.network(),
                                                                  static_cast<std::uint64_t>(time), member.identity),
                                         member.identity));
    }
    std::string other(const Member& member, std::int64_t time, bool leave) const {
        committee::Transaction transaction{genesis_.network(), member.identity.id(), static_cast<std::uint64_t>(time),
                                           committee::Deregister{}};
        if (!leave) transaction.body = committee::Renew{{1, 2, 3}};
        return to_string(committee::sign(transaction, member.identity));
    }

    SeededRandom random_{23};
    committee::Genesis genesis_{"test", UnixTime{1'000'000}, {}, {}};
    std::vector<Member> members_;
    MemoryStore store_;
};

TEST_F(ApplicationTest, BeginsAChainOfItsGenesisAndOfNoOther) {
    auto application = open(store_);
    abci::Request info;
    info.mutable_info();
    EXPECT_EQ(ask(*application, info).info().last_block_height(), 0);
    EXPECT_EQ(ask(*application, init()).init_chain().app_hash(), to_string(application->registry().app_hash()));
    for (int fault = 0; fault < 4; ++fault) {
        auto request = init();
        auto* chain = request.mutable_init_chain();
        if (fault == 0) chain->set_chain_id("planetserve-other");
        if (fault == 1) chain->mutable_validators(2)->set_power(2);
        if (fault == 2) chain->mutable_validators()->RemoveLast();
        if (fault == 3) chain->set_initial_height(7);
        EXPECT_FALSE(application->handle(request, UnixTime{start})) << fault;
    }
    finalize(*application, {1, start, {}});
    commit(*application);
    EXPECT_EQ(ask(*application, info).info().last_block_height(), 1);
    EXPECT_EQ(ask(*application, info).info().last_block_app_hash(), to_string(application->registry().app_hash()));
    EXPECT_FALSE(application->handle(init(), UnixTime{start})) << "it has begun";
    auto elsewhere = genesis_;
    elsewhere.parameters.lease_ms += 1;
    EXPECT_NE(elsewhere.consensus_chain_id(), genesis_.consensus_chain_id()) << "votes are signed for one genesis";
}

TEST_F(ApplicationTest, AMempoolTakesOneTransactionOfEachNodeAndItsLeave) {
    auto application = open(store_);
    const Member& member = members_[0];
    EXPECT_EQ(check(*application, registration(member, start), start).code(), 0u);
    auto second = check(*application, registration(member, start + 700), start);
    EXPECT_NE(second.code(), 0u);
    EXPECT_NE(second.log().find("waits for the next block"), std::string::npos) << second.log();
    EXPECT_NE(check(*application, other(members_[1], start, false), start).log().find("not registered"),
              std::string::npos);
    EXPECT_NE(check(*application, "rubbish", start).code(), 0u);
    EXPECT_NE(check(*application, std::string(), start).code(), 0u);
    finalize(*application, {1, start, {registration(member, start)}});
    commit(*application);
    EXPECT_NE(check(*application, registration(member, start), start, true).code(), 0u) << "it has been";
    EXPECT_EQ(check(*application, other(member, start + 1000, false), start + 1000).code(), 0u);
    EXPECT_EQ(check(*application, other(member, start + 1001, true), start + 1000).code(), 0u);
    EXPECT_NE(check(*application, other(member, start + 1002, true), start + 1000).code(), 0u);
}

TEST_F(ApplicationTest, AProposalHoldsWhatCanBeAppliedAndNothingElse) {
    auto application = open(store_);
    finalize(*application, {1, start, {registration(members_[0], start)}});
    commit(*application);
    std::string renewal = other(members_[0], start + 600, false), first = registration(members_[1], start + 600);
    std::string second = registration(members_[1], start + 601);
    // A block has the time of the votes before it, so a transaction may come too soon for it.
    EXPECT_EQ(propose(*application, {renewal, first, second, "rubbish"}, start + 100), std::vector{first});
    EXPECT_EQ(propose(*application, {renewal, first}, start + 600), (std::vector{renewal, first}));
    EXPECT_EQ(propose(*application, {renewal, first}, start + 600, static_cast<std::int64_t>(renewal.size()) + 20),
              std::vector{renewal});
    EXPECT_TRUE(accepts(*application, {renewal, first}, start + 600));
    EXPECT_TRUE(accepts(*application, {}, start + 600));
    EXPECT_FALSE(accepts(*application, {renewal, first}, start + 100));
    EXPECT_FALSE(accepts(*application, {first, second}, start + 600));
    EXPECT_FALSE(accepts(*application, {first, "rubbish"}, start + 600));
}

TEST_F(ApplicationTest, HeightsFollowEachOther) {
    auto application = open(store_);
    abci::Request commit_request;
    commit_request.mutable_commit();
    EXPECT_FALSE(application->handle(commit_request, UnixTime{start})) << "nothing to commit";
    EXPECT_FALSE(application->handle(block_request({2, start, {}}), UnixTime{start}));
    finalize(*application, {1, start, {}});
    EXPECT_FALSE(application->handle(block_request({2, start, {}}), UnixTime{start})) << "the first is not kept yet";
    commit(*application);
    EXPECT_FALSE(application->handle(block_request({1, start, {}}), UnixTime{start}));
    EXPECT_FALSE(application->handle(abci::Request(), UnixTime{start}));
}

TEST_F(ApplicationTest, NothingIsKeptBeforeCommitAndAStoreThatFailsEndsIt) {
    struct Full final : committee::Store {
        Result<std::optional<committee::StoredState>> load(const wire::NetworkId&) override { return std::nullopt; }
        Status save(const wire::NetworkId&, std::int64_t, UnixTime, const crypto::Digest&,
                    const committee::Changes&) override {
            return fail(ErrorCode::io, "the disk is full");
        }
    } full;
    auto application = open(store_);
    finalize(*application, {1, start, {registration(members_[0], start)}});
    EXPECT_FALSE(store_.stored);
    commit(*application);
    EXPECT_EQ(store_.stored->height, 1);
    auto doomed = open(full);
    finalize(*doomed, {1, start, {}});
    abci::Request request;
    request.mutable_commit();
    auto answer = doomed->handle(request, UnixTime{start});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "the disk is full");
}

// CometBFT repeats every block above the height that the application says it has.
TEST_F(ApplicationTest, AnApplicationThatDiesAnywhereComesToTheSameHashes) {
    genesis_.parameters.lease_ms = 3000;
    genesis_.parameters.renew_ms = 1000;
    genesis_.parameters.clock_tolerance_ms = 2000;
    genesis_.parameters.update_interval_ms = 200;
    for (int round = 0; round < 10; ++round) {
        MemoryStore steady_store, store;
        auto steady = open(steady_store), mortal = open(store);
        std::vector<Block> chain;
        std::vector<std::string> hashes;
        auto catch_up = [&] {
            while (mortal->registry().height() < static_cast<std::int64_t>(chain.size())) {
                const Block& next = chain[static_cast<std::size_t>(mortal->registry().height())];
                EXPECT_EQ(finalize(*mortal, next), hashes[static_cast<std::size_t>(next.height) - 1]) << next.height;
                if (random_.below(4) == 0) {
                    mortal = open(store);  // between FinalizeBlock and Commit
                    EXPECT_EQ(mortal->registry().height(), next.height - 1);
                } else {
                    commit(*mortal);
                    if (random_.below(4) == 0) mortal = open(store);
                }
            }
        };
        std::int64_t time = start;
        for (std::int64_t height = 1; height <= 60; ++height) {
            time += static_cast<std::int64_t>(random_.below(900));
            Block block{height, time, {}};
            std::vector<std::string> waiting;
            for (const Member& member : members_) {
                auto what = random_.below(5);
                if (what == 0) waiting.push_back(registration(member, time));
                if (what == 1) waiting.push_back(other(member, time, false));
                if (what == 2 && random_.below(4) == 0) waiting.push_back(other(member, time, true));
            }
            // Half of the blocks are as an honest node proposes them. The others hold all that was sent, as under other
            // rules.
            block.transactions = random_.below(2) == 0 ? propose(*steady, waiting, time) : waiting;
            chain.push_back(block);
            hashes.push_back(finalize(*steady, block));
            commit(*steady);
            if (random_.below(3) == 0) catch_up();
        }
        catch_up();
        EXPECT_EQ(mortal->registry().app_hash(), steady->registry().app_hash());
        EXPECT_EQ(store.stored->entries, steady_store.stored->entries);
        EXPECT_EQ(store.stored->app_hash, steady_store.stored->app_hash);
    }
}

class SnapshotTest : public ApplicationTest {
protected:
    SnapshotTest() {
        source_ = open(store_);
        Block block{1, start, {}};
        for (int i = 0; i < 300; ++i)
            block.transactions.push_back(registration(committee::make_large_member(random_), start));
        finalize(*source_, block);
        commit(*source_);
        abci::Request list;
        list.mutable_list_snapshots();
        auto listed = ask(*source_, list).list_snapshots();
        EXPECT_EQ(listed.snapshots_size(), 1);
        snapshot_ = listed.snapshots(0);
    }
    std::string chunk(std::uint32_t index) const {
        abci::Request load;
        load.mutable_load_snapshot_chunk()->set_height(snapshot_.height());
        load.mutable_load_snapshot_chunk()->set_format(snapshot_.format());
        load.mutable_load_snapshot_chunk()->set_chunk(index);
        return ask(*source_, load).load_snapshot_chunk().chunk();
    }
    static auto offer(Application& to, const abci::Snapshot& snapshot, const std::string& app_hash) {
        abci::Request request;
        *request.mutable_offer_snapshot()->mutable_snapshot() = snapshot;
        request.mutable_offer_snapshot()->set_app_hash(app_hash);
        return ask(to, request).offer_snapshot().result();
    }
    static auto apply(Application& to, std::uint32_t index, const std::string& bytes) {
        abci::Request request;
        request.mutable_apply_snapshot_chunk()->set_index(index);
        request.mutable_apply_snapshot_chunk()->set_chunk(bytes);
        return ask(to, request).apply_snapshot_chunk().result();
    }
    std::string hash() const { return to_string(source_->registry().app_hash()); }

    using Offer = abci::ResponseOfferSnapshot;
    using Apply = abci::ResponseApplySnapshotChunk;
    std::unique_ptr<Application> source_;
    abci::Snapshot snapshot_;
};

TEST_F(SnapshotTest, ANewcomerGoesOnFromIt) {
    MemoryStore store;
    auto target = open(store);
    ASSERT_GT(snapshot_.chunks(), 2u);
    ASSERT_EQ(offer(*target, snapshot_, hash()), Offer::ACCEPT);
    for (std::uint32_t i = 0; i < snapshot_.chunks(); ++i) {
        EXPECT_FALSE(store.stored);
        ASSERT_EQ(apply(*target, i, chunk(i)), Apply::ACCEPT);
    }
    EXPECT_EQ(target->registry().app_hash(), source_->registry().app_hash());
    target = open(store);  // the store has what was restored
    EXPECT_EQ(target->registry().height(), 1);
    for (std::int64_t height = 2; height < 12; ++height) {
        std::int64_t time = start + 4000 * (height - 1);
        Block block{height, time, {registration(members_[static_cast<std::size_t>(height) % 6], time)}};
        EXPECT_EQ(finalize(*target, block), finalize(*source_, block)) << height;
        commit(*target);
        commit(*source_);
    }
    EXPECT_EQ(offer(*target, snapshot_, hash()), Offer::ABORT) << "it has blocks";
}

TEST_F(SnapshotTest, WhatIsNotWhatTheChainSaysIsRefused) {
    MemoryStore store;
    auto target = open(store);
    EXPECT_EQ(apply(*target, 0, chunk(0)), Apply::REJECT_SNAPSHOT) << "none was offered";
    for (int fault = 0; fault < 5; ++fault) {
        auto wrong = snapshot_;
        if (fault == 0) wrong.set_format(2);
        if (fault == 1) wrong.set_chunks(100);
        if (fault == 2) wrong.set_chunks(0);
        if (fault == 3) wrong.clear_metadata();
        if (fault == 4) wrong.set_hash("short");
        EXPECT_EQ(offer(*target, wrong, hash()), Offer::REJECT) << fault;
    }
    for (int fault = 0; fault < 4; ++fault) {
        ASSERT_EQ(offer(*target, snapshot_, fault == 0 ? std::string(32, 'x') : hash()), Offer::ACCEPT);
        auto result = Apply::ACCEPT;
        for (std::uint32_t i = 0; i < snapshot_.chunks() && result == Apply::ACCEPT; ++i) {
            std::string bytes = chunk(i);
            if (fault == 1 && i == 1) bytes[5] ^= 1;
            if (fault == 2 && i == 1) bytes.pop_back();
            result = apply(*target, fault == 3 && i == 1 ? 2 : i, bytes);
        }
        EXPECT_EQ(result, Apply::REJECT_SNAPSHOT) << fault;
        EXPECT_EQ(target->registry().height(), 0);
        EXPECT_FALSE(store.stored);
    }
}

TEST_F(ApplicationTest, AnEntryIsProven) {
    auto application = open(store_);
    Block block{1, start, {}};
    for (const Member& member : members_) block.transactions.push_back(registration(member, start));
    (void)finalize(*application, block);
    commit(*application);
    abci::Request request;
    request.mutable_query()->set_path("/entry");
    request.mutable_query()->set_prove(true);
    for (const Member& member : members_) {
        request.mutable_query()->set_data(to_string(member.identity.id().bytes()));
        auto answer = ask(*application, request).query();
        ASSERT_EQ(answer.code(), 0u);
        ASSERT_EQ(answer.proof_ops().ops_size(), 1);
        EXPECT_EQ(answer.proof_ops().ops(0).type(), "simple:v");
        abci::ValueOp value;
        ASSERT_TRUE(value.ParseFromString(answer.proof_ops().ops(0).data()));
        committee::EntryProof proof{to_bytes(std::string_view(answer.value())),
                                    static_cast<std::size_t>(value.proof().index()),
                                    static_cast<std::size_t>(value.proof().total()),
                                    {}};
        for (const auto& aunt : value.proof().aunts())
            proof.path.push_back(FixedBytes<struct AuntTag, 32>::from(as_bytes(aunt))->value);
        EXPECT_TRUE(committee::verify_entry(member.identity.id(), proof, application->registry().app_hash()));
    }
    request.mutable_query()->set_data(std::string(32, 'x'));
    EXPECT_NE(ask(*application, request).query().code(), 0u);
    request.mutable_query()->set_path("/other");
    EXPECT_NE(ask(*application, request).query().code(), 0u);
}

}  // namespace
}  // namespace planetserve::consensus
