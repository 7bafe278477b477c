#include "node/model_choice.h"

#include <gtest/gtest.h>

namespace planetserve::node {
namespace {

ModelNodeInfo model_node(std::uint8_t number, std::vector<std::string> models, std::uint32_t capacity,
                         std::uint32_t running) {
    ModelNodeInfo node;
    node.id.value[0] = number;
    node.models = std::move(models);
    node.capacity = capacity;
    node.running = running;
    return node;
}

struct ModelChoice : testing::Test {
    const ModelNodeInfo* choose(const DirectoryView& view, const std::string& model,
                                const std::set<NodeId>& excluded = {}, const std::optional<NodeId>& preferred = {}) {
        return choose_model_node(view, model, excluded, {experience, under_way, now}, preferred, random);
    }
    std::map<int, int> draw(const DirectoryView& view, int times = 3000) {
        std::map<int, int> counts;
        for (int i = 0; i < times; ++i) ++counts[choose(view, "a")->id.value[0]];
        return counts;
    }

    SeededRandom random{1};
    Experience experience;
    std::map<NodeId, std::uint32_t> under_way;
    Time now{1h};
};

TEST_F(ModelChoice, OfTwoEqualsTakesTheOneThatClaimsToBeLessLoaded) {
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 2), model_node(2, {"a", "b"}, 4, 1), model_node(3, {"b"}, 4, 0)}};
    EXPECT_EQ(choose(view, "a")->id.value[0], 2);
    EXPECT_EQ(choose(view, "a", {view.models[1].id})->id.value[0], 1);
    EXPECT_EQ(choose(view, "c"), nullptr);
    EXPECT_EQ(choose(view, "a", {}, view.models[0].id)->id.value[0], 1) << "affinity";
    EXPECT_EQ(choose(view, "a", {view.models[0].id}, view.models[0].id)->id.value[0], 2);
    EXPECT_EQ(model_names(view), (std::vector<std::string>{"a", "b"}));
    under_way[view.models[1].id] = 3;
    EXPECT_EQ(choose(view, "a")->id.value[0], 1) << "own requests count";
}

// On the code before, all went to it.
TEST_F(ModelChoice, OneThatClaimsAMillionPlacesDoesNotGetAll) {
    DirectoryView view{{},
                       {model_node(1, {"a"}, 1'000'000, 0), model_node(2, {"a"}, 4, 1), model_node(3, {"a"}, 4, 1),
                        model_node(4, {"a"}, 4, 1)}};
    EXPECT_LT(draw(view)[1], 1700) << "half of all pairs have it";
    experience.failed({view.models[0].id, "a"}, blame::full, now);
    EXPECT_EQ(draw(view)[1], 0) << "and after a failure it is the worse of each";
    now += 30min;
    EXPECT_GT(draw(view)[1], 0) << "for a while";
}

TEST_F(ModelChoice, WhatWasMeasuredOutweighsClaims) {
    DirectoryView view{{}, {model_node(1, {"a"}, 64, 0), model_node(2, {"a"}, 4, 4)}};
    experience.delivered({view.models[0].id, "a"}, {.first_byte = 8s}, now);
    experience.delivered({view.models[1].id, "a"}, {.first_byte = 1s}, now);
    EXPECT_EQ(draw(view, 100)[2], 100);
}

TEST_F(ModelChoice, OneThatWasSlowOnceIsDrawnAgain) {
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 0), model_node(2, {"a"}, 4, 0)}};
    experience.delivered({view.models[0].id, "a"}, {.first_byte = 60s}, now);
    experience.delivered({view.models[1].id, "a"}, {.first_byte = 1s}, now);
    EXPECT_EQ(draw(view, 100)[1], 0);
    for (int minute = 0; minute < 7; ++minute)
        experience.delivered({view.models[1].id, "a"}, {.first_byte = 1s}, now += 1min);
    EXPECT_GT(draw(view, 100)[1], 20) << "though the other was always quick";
}

TEST_F(ModelChoice, AfterAFailureTakesTheOneThatIsKnownToDeliver) {
    DirectoryView view;
    for (std::uint8_t i = 1; i < 50; ++i) view.models.push_back(model_node(i, {"a"}, 4, 0));
    for (const ModelNodeInfo& node : view.models) experience.failed({node.id, "a"}, blame::full, now);
    for (int i = 0; i < 8; ++i) experience.delivered({view.models[7].id, "a"}, {.first_byte = 1s}, now);
    EXPECT_EQ(choose(view, "a", {view.models[0].id})->id, view.models[7].id);
}

TEST_F(ModelChoice, SaysWhyAModelIsNotToBeHad) {
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 0), model_node(2, {"a", "b"}, 4, 0)}};
    view.models[1].trusted = false;
    EXPECT_TRUE(is_served(view, "a"));
    EXPECT_EQ(is_served(view, "b").error().code, ErrorCode::unavailable);
    EXPECT_EQ(is_served(view, "c").error().code, ErrorCode::not_found);
    EXPECT_NE(is_served(view, "c").error().message.find("there are: a"), std::string::npos);
}

TEST_F(ModelChoice, SpreadsOverEquals) {
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 0), model_node(2, {"a"}, 4, 0), model_node(3, {"a"}, 4, 0)}};
    for (auto [node, count] : draw(view)) EXPECT_NEAR(count, 1000, 150) << node;
}

TEST(Conversations, AreContinuedByTheirWholeBeginningOnly) {
    auto prefixes = [](const std::string& messages) {
        return Conversations::prefixes(as_bytes(R"({"model":"m","messages":[)" + messages + "]}"));
    };
    const std::string system = R"({"role":"system","content":"s"})", first = R"({"role":"user","content":"1"})";
    Conversations conversations(2);
    NodeId node;
    node.value[0] = 9;
    conversations.served(prefixes(system + "," + first), node);
    EXPECT_EQ(conversations.find(prefixes(system + "," + first +
                                          R"(,{"role":"assistant","content":"a"},{"role":"user","content":"2"})")),
              node);
    EXPECT_FALSE(conversations.find(prefixes(system + R"(,{"role":"user","content":"other"})")))
        << "a shared system prompt is no conversation";
    EXPECT_FALSE(conversations.find(Conversations::prefixes(as_bytes("not json"))));
    conversations.served(prefixes(R"({"a":1})"), node);
    conversations.served(prefixes(R"({"a":2})"), node);
    EXPECT_EQ(conversations.size(), 2u);
    EXPECT_FALSE(conversations.find(prefixes(system + "," + first))) << "the oldest went";
    NodeId other;
    conversations.forget(prefixes(R"({"a":1})"), other);
    EXPECT_EQ(conversations.size(), 2u) << "another node failed it";
    conversations.forget(prefixes(R"({"a":1},{"b":1})"), node);
    EXPECT_FALSE(conversations.find(prefixes(R"({"a":1})")));
}

}  // namespace
}  // namespace planetserve::node
