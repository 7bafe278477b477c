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

TEST(ModelChoice, TakesTheLeastLoadedThatServesTheModel) {
    SeededRandom random(1);
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 2), model_node(2, {"a", "b"}, 4, 1), model_node(3, {"b"}, 4, 0)}};
    EXPECT_EQ(choose_model_node(view, "a", {}, {}, {}, random)->id.value[0], 2);
    EXPECT_EQ(choose_model_node(view, "a", {view.models[1].id}, {}, {}, random)->id.value[0], 1);
    EXPECT_EQ(choose_model_node(view, "c", {}, {}, {}, random), nullptr);
    EXPECT_EQ(choose_model_node(view, "a", {}, {{view.models[1].id, 3}}, {}, random)->id.value[0], 1)
        << "own requests count";
    EXPECT_EQ(choose_model_node(view, "a", {}, {}, view.models[0].id, random)->id.value[0], 1) << "affinity";
    EXPECT_EQ(choose_model_node(view, "a", {view.models[0].id}, {}, view.models[0].id, random)->id.value[0], 2);
    EXPECT_EQ(model_names(view), (std::vector<std::string>{"a", "b"}));
}

TEST(ModelChoice, SaysWhyAModelIsNotToBeHad) {
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 0), model_node(2, {"a", "b"}, 4, 0)}};
    view.models[1].trusted = false;
    EXPECT_TRUE(is_served(view, "a"));
    EXPECT_EQ(is_served(view, "b").error().code, ErrorCode::unavailable);
    EXPECT_EQ(is_served(view, "c").error().code, ErrorCode::not_found);
    EXPECT_NE(is_served(view, "c").error().message.find("there are: a"), std::string::npos);
}

TEST(ModelChoice, SpreadsOverEquals) {
    SeededRandom random(2);
    DirectoryView view{{}, {model_node(1, {"a"}, 4, 0), model_node(2, {"a"}, 4, 0), model_node(3, {"a"}, 4, 0)}};
    std::map<int, int> counts;
    for (int i = 0; i < 3000; ++i) ++counts[choose_model_node(view, "a", {}, {}, {}, random)->id.value[0]];
    for (auto [node, count] : counts) EXPECT_NEAR(count, 1000, 150) << node;
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
}

}  // namespace
}  // namespace planetserve::node
