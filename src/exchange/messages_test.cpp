#include "exchange/messages.h"

#include <gtest/gtest.h>

#include "exchange/envelope.h"

namespace planetserve::exchange {
namespace {

TEST(Messages, HeadsRoundTrip) {
    SeededRandom random(1);
    RequestHead head{
        random.id<IdempotencyId>(), "POST", "/v1/completions", "application/json", "model", 77, {}, 2, true};
    for (int i = 0; i < 3; ++i) head.lanes.push_back({random.id<NodeId>(), random.id<ReplyHandle>()});
    auto parsed = parse_request_head(encode(head));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->id, head.id);
    EXPECT_EQ(parsed->path, head.path);
    EXPECT_EQ(parsed->body_size, 77u);
    EXPECT_EQ(parsed->lanes, head.lanes);
    EXPECT_EQ(parsed->k, 2);
    EXPECT_FALSE(parsed->returns);
    head.returns = IdempotencyId{{5}};
    EXPECT_EQ(parse_request_head(encode(head))->returns, head.returns);
    EXPECT_TRUE(parsed->continues);

    inference::ReplyHead reply{503, {{"retry-after", "7"}, {"content-type", "application/json"}}};
    auto reply_parsed = parse_reply_head(encode(reply));
    ASSERT_TRUE(reply_parsed);
    EXPECT_EQ(reply_parsed->status, 503u);
    EXPECT_EQ(reply_parsed->headers, reply.headers);
}

TEST(Messages, LimitsAreChecked) {
    SeededRandom random(2);
    RequestHead head{
        random.id<IdempotencyId>(), "POST", "/", "", "m", 0, {{random.id<NodeId>(), random.id<ReplyHandle>()}}, 1};
    ASSERT_TRUE(parse_request_head(encode(head)));
    auto refused = [&](auto&& change) {
        RequestHead bad = head;
        change(bad);
        return !parse_request_head(encode(bad));
    };
    EXPECT_TRUE(refused([](RequestHead& h) { h.k = 2; }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.k = 0; }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.lanes.clear(); }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.lanes.resize(33, h.lanes[0]), h.k = 17; }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.lanes.resize(9, h.lanes[0]), h.k = 9; }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.lanes.resize(5, h.lanes[0]), h.k = 2; })) << "2 k lanes at most";
    EXPECT_FALSE(refused([](RequestHead& h) { h.lanes.resize(8, h.lanes[0]), h.k = 4; }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.path.assign(2000, 'a'); }));
    EXPECT_TRUE(refused([](RequestHead& h) { h.model = "a\r\nb"; }));
    EXPECT_FALSE(parse_request_head(Bytes{0xff, 0xff}));
    EXPECT_FALSE(parse_reply_head(encode(inference::ReplyHead{99, {}})));
}

TEST(Messages, AReplyHeadHasABoundWhateverAnEngineSays) {
    inference::ReplyHead head{200, {{"content-type", "text/plain"}}};
    for (int i = 0; i < 31; ++i) head.headers.emplace_back("x-" + std::to_string(i), std::string(1000, 'a'));
    head.headers.emplace_back("x-too-long", std::string(1025, 'a'));
    const Bytes encoded = encode(head);
    EXPECT_LE(encoded.size(), maximum_reply_head);
    auto parsed = parse_reply_head(encoded);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->headers.size(), 8u);
    EXPECT_EQ(parsed->headers.front().second, "text/plain");
}

TEST(Messages, TextsNeedNotBeUtf8) {
    auto head = parse_reply_head(encode(inference::ReplyHead{200, {{"x-name", "caf\xe9"}}}));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->headers.at(0).second, "caf\xe9");
    auto error = parse_error(encode(Error{ErrorCode::internal, std::string(4095, 'a') + "\xc3\xa9"}));
    ASSERT_TRUE(error) << "cut within a character";
    EXPECT_EQ(error->message.size(), 4096u);
}

TEST(Messages, ItemsAddUp) {
    Bytes record;
    append_item(record, ItemKind::body, as_bytes("abc"));
    append_item(record, ItemKind::end, {});
    auto items = parse_items(record);
    ASSERT_TRUE(items);
    ASSERT_EQ(items->size(), 2u);
    EXPECT_EQ(as_text(items->front().content), "abc");
    record.pop_back();
    EXPECT_FALSE(parse_items(record));
    EXPECT_FALSE(parse_items(Bytes{9, 0, 0, 0}));
    EXPECT_FALSE(parse_items(Bytes{2, 0xff, 0xff, 0xff, 1}));
    auto padded = parse_items(Bytes{2, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0});
    ASSERT_TRUE(padded);
    EXPECT_EQ(padded->size(), 1u);
    EXPECT_TRUE(parse_items(Bytes(512))->empty());
    EXPECT_FALSE(parse_items(Bytes{2, 0, 0, 1, 7, 0, 0, 1})) << "padding is all zeros";
}

TEST(Envelope, RoundTripsAndRefusesTheRest) {
    Bytes name(32, 7), clove{1, 2, 3};
    auto sealed = seal_envelope(RecordKind::control, name, clove);
    auto parsed = parse_envelope(sealed);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(to_bytes(parsed->clove), clove);
    sealed[1] = 9;
    EXPECT_FALSE(parse_envelope(sealed));
    EXPECT_FALSE(parse_envelope(Bytes(34, 1)));
}

TEST(Keys, AreTheSameAtBothEndsAndDifferForEachKindAndNode) {
    SeededRandom random(3);
    auto user = crypto::AgreementKey::generate(random);
    auto model = crypto::AgreementKey::generate(random);
    auto other = crypto::AgreementKey::generate(random);
    ExchangeId id{user.public_key().value};
    auto a = derive_keys(user, model.public_key(), id, model.public_key());
    auto b = derive_keys(model, user.public_key(), id, model.public_key());
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->reply, b->reply);
    EXPECT_EQ(a->request, b->request);
    EXPECT_FALSE(a->reply == a->request);
    auto c = derive_keys(user, other.public_key(), id, other.public_key());
    EXPECT_FALSE(a->reply == c->reply);
}

}  // namespace
}  // namespace planetserve::exchange
