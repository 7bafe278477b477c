#include "node/directory_view.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::node {
namespace {

class View : public testing::Test {
protected:
    NodeId add(wire::Role role, const std::string& operator_name = {}) {
        committee::NodeDescriptor descriptor;
        descriptor.id = random_.id<NodeId>();
        descriptor.role = role;
        descriptor.operator_name = operator_name;
        if (role == wire::Role::model) {
            descriptor.models = {{"m", 4096, "llama.cpp", true, {}}};
            descriptor.capacity = 4;
        }
        const NodeId id = descriptor.id;
        entries_[id].descriptor = std::move(descriptor);
        entries_[id].load = {2, 1, 0};
        return id;
    }

    SeededRandom random_{9};
    std::map<NodeId, committee::Entry> entries_;
};

TEST_F(View, HoldsAllNodesButThisOne) {
    const NodeId self = add(wire::Role::user);
    add(wire::Role::user, "us");
    const NodeId model = add(wire::Role::model, "them");
    entries_[random_.id<NodeId>()];  // a node that left
    const DirectoryView view = view_of(entries_, std::nullopt, self);
    EXPECT_EQ(view.relays.size(), 1U);
    ASSERT_EQ(view.models.size(), 1U);
    const ModelNodeInfo& info = view.models[0];
    EXPECT_EQ(info.id, model);
    EXPECT_EQ(info.models, std::vector<std::string>{"m"});
    EXPECT_EQ(info.capacity, 4U);
    EXPECT_EQ(info.running, 2U);
    EXPECT_EQ(info.queued, 1U);
    EXPECT_EQ(info.operator_name, "them");
}

TEST_F(View, TrustsEveryModelNodeWhereNothingIsVerified) {
    add(wire::Role::model);
    const DirectoryView view = view_of(entries_, std::nullopt, NodeId{});
    EXPECT_TRUE(view.models[0].trusted);
    EXPECT_FALSE(view.models[0].reputation);
}

TEST_F(View, TakesTrustAndReputationFromTheList) {
    const NodeId good = add(wire::Role::model), bad = add(wire::Role::model);
    committee::Reputations reputations;
    reputations.standings[bad].reputation = reputations.parameters.trust - 1;
    const DirectoryView view = view_of(entries_, reputations, NodeId{});
    EXPECT_TRUE(find_model_node(view, good)->trusted);
    EXPECT_EQ(find_model_node(view, good)->reputation, reputations.parameters.initial);
    EXPECT_FALSE(find_model_node(view, bad)->trusted);
    EXPECT_EQ(find_model_node(view, bad)->reputation, reputations.parameters.trust - 1);
}

}  // namespace
}  // namespace planetserve::node
