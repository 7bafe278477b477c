// What a model node that has a request may not do with its idempotency id: read the answer elsewhere, or put another
// prompt in its place.

#include "exchange/ownership.h"

#include "exchange/exchange_fixture.h"

namespace planetserve::exchange {
namespace {

class OwnershipTest : public ExchangeTest {
protected:
    // An entry node that asks as a user does, with all that a forwarded request told it.
    User& ask_as_somebody_else(inference::Request what) {
        const auto own = std::exchange(user_secret, crypto::SymmetricKey(std::array<std::uint8_t, 32>{9}));
        User& user = ask(std::move(what));
        user_secret = own;
        return user;
    }
    void answer(std::size_t call, std::string_view text) {
        auto& sink = engine_.calls.at(call)->sink;
        sink.on_head({200, {}});
        sink.on_body(as_bytes(text));
        sink.on_end();
    }
    RequestHead head() {
        RequestHead head{random_.id<IdempotencyId>(), "POST", "/v1/completions", "application/json", "m", 3, {}, 3};
        for (int i = 0; i < 4; ++i) head.lanes.push_back({random_.id<NodeId>(), random_.id<ReplyHandle>()});
        return head;
    }
};

// Before, whoever knew the id was given the answer: one run, two readers.
TEST_F(OwnershipTest, AnEntryNodeCannotReadTheAnswerByTheIdempotencyId) {
    auto what = request();
    auto& owner = ask(what);
    run_for(200ms);
    auto& entry = ask_as_somebody_else(what);
    run_for(200ms);
    ASSERT_EQ(engine_.started, 2) << "a run of its own";
    answer(0, "for the owner");
    run_for(1s);
    EXPECT_TRUE(owner.ended);
    EXPECT_EQ(as_text(owner.body), "for the owner");
    EXPECT_EQ(as_text(entry.body), "");
    auto& retry = ask(what);
    run_for(1s);
    EXPECT_EQ(as_text(retry.body), "for the owner");
}

// Before, the owner was given the answer to the prompt that came first.
TEST_F(OwnershipTest, AnEntryNodeCannotPutAnotherPromptUnderTheIdempotencyId) {
    auto what = request();
    auto other = what;
    other.body = to_bytes(as_bytes("another prompt"));
    ask_as_somebody_else(other);
    run_for(200ms);
    auto& owner = ask(what);
    run_for(200ms);
    ASSERT_EQ(engine_.started, 2);
    EXPECT_EQ(engine_.calls.at(1)->request.body, what.body);
    answer(1, "to the owner's prompt");
    run_for(1s);
    EXPECT_EQ(as_text(owner.body), "to the owner's prompt");
}

TEST_F(OwnershipTest, AnotherRequestUnderOnesOwnIdIsRefusedAndDisturbsNothing) {
    auto what = request();
    auto& first = ask(what);
    run_for(200ms);
    what.body.push_back('!');
    auto& other = ask(what);
    run_for(200ms);
    ASSERT_TRUE(other.error);
    EXPECT_EQ(other.error->code, ErrorCode::already_exists);
    EXPECT_EQ(engine_.started, 1);
    answer(0, "whole");
    run_for(1s);
    EXPECT_EQ(as_text(first.body), "whole");
}

TEST_F(OwnershipTest, ASignatureHoldsForOneExchangeAndOneRequest) {
    const Bytes body = to_bytes(as_bytes("abc"));
    const auto exchange = random_.id<ExchangeId>();
    RequestHead signed_head = head();
    sign(signed_head, body, exchange, owner_of(signed_head.id, user_secret));
    auto ask = check_owner(signed_head, body, exchange);
    ASSERT_TRUE(ask);
    auto parsed = parse_request_head(encode(signed_head));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(check_owner(*parsed, body, exchange)->run, ask->run);

    EXPECT_FALSE(check_owner(signed_head, body, random_.id<ExchangeId>())) << "an exchange of somebody else";
    EXPECT_FALSE(check_owner(signed_head, as_bytes("abd"), exchange));
    auto changed = [&](auto change) {
        RequestHead copy = signed_head;
        change(copy);
        return check_owner(copy, body, exchange).has_value();
    };
    EXPECT_TRUE(changed([](RequestHead& copy) { copy.lanes.pop_back(); })) << "lanes change on the way";
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.id.value[0] ^= 1; }));
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.method = "PUT"; }));
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.path += "x"; }));
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.content_type += "x"; }));
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.model = "n"; }));
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.owner.value[0] ^= 1; }));
    EXPECT_FALSE(changed([](RequestHead& copy) { copy.owner = {}, copy.signature = {}; })) << "an older user node's";
}

TEST_F(OwnershipTest, TheKeysOfTwoRequestsHaveNothingInCommon) {
    const auto id = random_.id<IdempotencyId>(), other = random_.id<IdempotencyId>();
    EXPECT_EQ(owner_of(id, user_secret).id(), owner_of(id, user_secret).id());
    EXPECT_NE(owner_of(id, user_secret).id(), owner_of(other, user_secret).id());
    EXPECT_NE(owner_of(id, user_secret).id(), owner_of(id, crypto::SymmetricKey(std::array<std::uint8_t, 32>{1})).id());
}

}  // namespace
}  // namespace planetserve::exchange
