// A directory client against a committee of three whose validators are, as the test likes, down, slow or dishonest.

#include <gtest/gtest.h>

#include <functional>

#include "committee/committee.pb.h"
#include "committee/committee_fixture.h"
#include "committee/directory_client.h"

namespace planetserve::committee {
namespace {

class List : public testing::Test, public wire::FrameSender {
protected:
    List() {
        genesis_ = {"test", UnixTime{1}, {}, {}};
        genesis_.parameters.update_interval_ms = 0;
        for (int i = 0; i < 3; ++i) {
            validators_.push_back(crypto::Identity::generate(random_));
            genesis_.validators.push_back({"v" + std::to_string(i), validators_.back().id(), 1, {"127.0.0.1", 1}});
        }
        network_ = genesis_.network();
        registry_ = std::make_unique<Registry>(genesis_);
        for (int i = 0; i < 6; ++i) members_.push_back(make_member(random_, wire::Role::model));
        change();
    }

    // A block in which all members register again.
    void change() {
        clock_.time += 1ms;
        registry_->begin_block(registry_->height() + 1, clock_.unix_now());
        auto now = static_cast<std::uint64_t>(clock_.unix_now().milliseconds);
        for (const Member& member : members_)
            ASSERT_TRUE(registry_->apply(make_register(member.descriptor, network_, now, member.identity)));
        registry_->commit();
        publish();
    }
    void publish() {
        state_ = registry_->serialise();
        header_ = {registry_->height(), clock_.unix_now(), registry_->app_hash(), {}};
        sign_by(3);
    }
    void sign_by(std::size_t count) {
        header_.signatures.clear();
        for (std::size_t i = 0; i < count; ++i)
            header_.signatures.push_back(sign_header(header_, network_, validators_[i]));
    }
    // What dishonest validators can do: a state of their making, signed by all.
    void publish_forged(const std::function<void(Entry&)>& change_first) {
        Values values;
        for (auto [id, entry] : registry_->entries()) {
            if (values.empty()) change_first(entry);
            values.emplace(to_bytes(id.bytes()), encode_entry(id, entry));
        }
        Registry forged(genesis_);
        ASSERT_TRUE(forged.restore(values, registry_->height() + 1, clock_.unix_now()));
        state_ = forged.serialise();
        header_ = {forged.height(), clock_.unix_now(), forged.app_hash(), {}};
        sign_by(3);
    }

    Status send(const NodeId& to, wire::FrameType, std::initializer_list<ByteView> parts) override {
        ++asked_[to];
        if (down_.contains(to)) return fail(ErrorCode::unavailable, "down");
        if (silent_.contains(to)) return {};
        Bytes payload;
        for (ByteView part : parts) append(payload, part);
        proto::Call call;
        EXPECT_TRUE(call.ParseFromArray(payload.data() + 8, static_cast<int>(payload.size() - 8)));
        proto::Answer answer;
        if (call.has_fetch() && to_bytes(call.fetch().known_app_hash()) == to_bytes(ByteView(header_.app_hash))) {
            to_proto(header_, *answer.mutable_current());
        } else if (call.has_fetch()) {
            std::uint64_t offset = call.fetch().offset();
            auto* part = answer.mutable_part();
            to_proto(header_, *part->mutable_header());
            part->set_total(state_.size());
            part->set_offset(offset);
            part->set_bytes(to_string(ByteView(state_).subspan(
                offset, std::min(part_size_, state_.size() - static_cast<std::size_t>(offset)))));
        } else {
            answer.set_submitted(true);
        }
        Bytes reply(payload.begin(), payload.begin() + 8);
        append(reply, as_bytes(answer.SerializeAsString()));
        answers_.emplace_back(to, std::move(reply));
        return {};
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }

    std::unique_ptr<DirectoryClient> make_client() {
        return std::make_unique<DirectoryClient>(
            genesis_, identity_, DirectoryClientOptions{}, *this, random_, clock_.read(),
            [this](const DirectoryList&) { ++lists_; }, [] { return Load{}; });
    }
    void run(DirectoryClient& client, Duration duration) {
        for (Time end = clock_.time + duration; clock_.time < end; clock_.time += 50ms) {
            client.on_timer(clock_.read());
            for (auto& [from, answer] : std::exchange(answers_, {})) client.on_response(from, answer, clock_.read());
        }
    }
    // The client had a good list before; the one published now is refused for this reason, and the good one stays.
    void refused(const std::string& reason) {
        auto before = client_->list()->header.app_hash;
        run(*client_, 10s);
        EXPECT_NE(client_->problem().find(reason), std::string::npos) << client_->problem();
        EXPECT_EQ(client_->list()->header.app_hash, before);
    }

    SeededRandom random_{21};
    TestClock clock_;
    std::vector<crypto::Identity> validators_;
    Genesis genesis_;
    wire::NetworkId network_;
    std::unique_ptr<Registry> registry_;
    std::vector<Member> members_;
    crypto::Identity identity_ = crypto::Identity::generate(random_);
    StateHeader header_;
    Bytes state_;
    std::size_t part_size_ = 1 << 20;
    std::set<NodeId> down_, silent_;
    std::map<NodeId, int> asked_;
    std::vector<std::pair<NodeId, Bytes>> answers_;
    int lists_ = 0;
    std::unique_ptr<DirectoryClient> client_;
};

class ListInHand : public List {
protected:
    ListInHand() {
        client_ = make_client();
        run(*client_, 2s);
        EXPECT_EQ(lists_, 1);
    }
};

TEST_F(List, AnyValidatorWillDo) {
    down_ = {validators_[0].id()};
    silent_ = {validators_[1].id()};
    for (int i = 0; i < 6; ++i) {
        auto client = make_client();
        run(*client, 20s);
        ASSERT_TRUE(client->list());
    }
    EXPECT_GT(asked_[validators_[0].id()], 0);
    EXPECT_GT(asked_[validators_[1].id()], 0);
}

TEST_F(List, WithAllDownItTriesNotTooOftenAndTakesUpAgain) {
    for (const auto& validator : validators_) down_.insert(validator.id());
    auto client = make_client();
    auto tries = [this] {
        int all = 0;
        for (const auto& [id, count] : asked_) all += count;
        return all;
    };
    run(*client, 60s);
    EXPECT_FALSE(client->list());
    // In its first minute a client waits a second at most, later five.
    EXPECT_GE(tries(), 60);
    EXPECT_LE(tries(), 125);
    const int at_start = tries();
    run(*client, 60s);
    EXPECT_GE(tries() - at_start, 12);
    EXPECT_LE(tries() - at_start, 40);
    EXPECT_FALSE(client->problem().empty());
    down_.clear();
    run(*client, 6s);
    EXPECT_TRUE(client->list());
    EXPECT_TRUE(client->problem().empty()) << client->problem();
}

TEST_F(List, AVerificationNodeThatStartsLaterIsFoundWithinASecond) {
    for (const auto& validator : validators_) down_.insert(validator.id());
    auto client = make_client();
    run(*client, 20s);
    EXPECT_FALSE(client->list());
    down_.clear();
    run(*client, 1100ms);
    EXPECT_TRUE(client->list());
}

TEST_F(List, WhatFailedLastIsTellableWhenAllIsWellAgain) {
    for (const auto& validator : validators_) down_.insert(validator.id());
    auto client = make_client();
    EXPECT_EQ(client->failures(), 0u);
    run(*client, 5s);
    auto failures = client->failures();
    EXPECT_GE(failures, 2u);
    EXPECT_EQ(client->last_failure(), client->problem());
    auto failure = client->last_failure();
    EXPECT_TRUE(std::ranges::any_of(validators_, [&](const auto& validator) {
        return failure.starts_with("verification node " + validator.id().brief() + ": ");
    })) << failure;
    down_.clear();
    run(*client, 10s);
    EXPECT_TRUE(client->problem().empty()) << client->problem();
    EXPECT_EQ(client->last_failure(), failure);
}

TEST_F(List, TwoOfThreeSignaturesAreTooFew) {
    sign_by(2);
    auto client = make_client();
    run(*client, 5s);
    EXPECT_FALSE(client->list());
    EXPECT_NE(client->problem().find("2 of 3 voting power"), std::string::npos) << client->problem();
}

TEST_F(List, AListInManyPartsIsPutTogether) {
    part_size_ = 100;
    auto client = make_client();
    run(*client, 20s);
    ASSERT_TRUE(client->list());
    EXPECT_EQ(client->list()->entries, registry_->entries());
}

TEST_F(List, AListThatComesTooSlowlyIsGivenUp) {
    part_size_ = 1;  // every 50 ms: it would take more than a minute
    ASSERT_GT(state_.size(), 1300u);
    auto client = make_client();
    run(*client, 62s);
    EXPECT_FALSE(client->list());
    EXPECT_NE(client->problem().find("too slowly"), std::string::npos) << client->problem();
}

TEST_F(ListInHand, IsConfirmedByNewHeadersAndItsAgeTold) {
    EXPECT_LE(client_->list_age(clock_.unix_now()), 3s);
    clock_.time += 100ms;
    header_.time = clock_.unix_now();
    sign_by(3);
    run(*client_, 10s);
    EXPECT_EQ(client_->list()->header.time, header_.time);
    EXPECT_EQ(lists_, 1) << "the same list is not told twice";
    for (const auto& validator : validators_) down_.insert(validator.id());
    run(*client_, 60s);
    EXPECT_GE(client_->list_age(clock_.unix_now()), 60s);
    EXPECT_EQ(client_->list()->entries, registry_->entries()) << "what is in hand stays in use";
}

TEST_F(ListInHand, AChangedOneTakesItsPlace) {
    change();
    run(*client_, 10s);
    EXPECT_EQ(lists_, 2);
    EXPECT_EQ(client_->list()->entries, registry_->entries());
    EXPECT_TRUE(client_->problem().empty()) << client_->problem();
}

TEST_F(ListInHand, OldForkedAndUntimelyListsAreRefused) {
    Bytes old_state = state_;
    StateHeader old_header = header_;
    change();
    run(*client_, 5s);
    std::swap(state_, old_state);
    std::swap(header_, old_header);
    refused("a list of height 1 after one of 2");
    std::swap(state_, old_state);
    std::swap(header_, old_header);

    publish_forged([](Entry& entry) { entry.load.queued = 9; });
    header_.height = registry_->height();
    sign_by(3);
    refused("two different lists are signed for height 2");

    change();
    header_.time = clock_.unix_now() + (-400s);
    sign_by(3);
    refused("s old; the verification node or this clock is wrong");
    header_.time = clock_.unix_now() + 400s;
    sign_by(3);
    refused("s from now");
}

TEST_F(ListInHand, AListThatIsNotWhatWasSignedIsRefused) {
    change();
    StateHeader header = header_;
    publish_forged([](Entry& entry) { entry.load.queued = 9; });
    header_ = header;
    refused("not the one its header signs");
}

// The validators are trusted with who is in the list, not with what its nodes say of themselves.
TEST_F(ListInHand, NotEvenAllValidatorsCanDescribeANode) {
    auto own = crypto::AgreementKey::generate(random_);
    publish_forged([&](Entry& entry) {
        entry.descriptor->onion_key = own.public_key();
        entry.signed_descriptor.bytes = encode(*entry.descriptor);
    });
    refused("did not sign; a validator is dishonest");
}

TEST_F(ListInHand, NotEvenAllValidatorsCanBringBackAnOlderDescriptor) {
    Entry old = registry_->entries().begin()->second;
    change();
    run(*client_, 5s);
    publish_forged([&](Entry& entry) { entry = old; });
    refused("older descriptor");
}

TEST_F(ListInHand, RandomChangesOfAnswersNeitherHarmItNorAreTaken) {
    for (int i = 0; i < 300; ++i) {
        change();
        client_->on_timer(clock_.read());
        clock_.time += 5s;
        for (auto& [from, answer] : std::exchange(answers_, {})) {
            answer[8 + random_.below(answer.size() - 8)] ^= static_cast<std::uint8_t>(1 + random_.below(255));
            client_->on_response(from, answer, clock_.read());
        }
        for (const auto& [id, entry] : client_->list()->entries)
            ASSERT_TRUE(verify_descriptor(entry.signed_descriptor, id, network_));
    }
    run(*client_, 20s);
    EXPECT_EQ(client_->list()->entries, registry_->entries());
}

}  // namespace
}  // namespace planetserve::committee
