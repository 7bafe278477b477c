#include "routing/array_agreement.h"

#include <gtest/gtest.h>

namespace planetserve::routing {
namespace {

const ChunkLengths initial{0, {}, 256, 1024};
ChunkLengths array(std::uint32_t version, std::uint32_t first) { return {version, {first, 32}, 256, 1024}; }

// Each member hears what all stand for, as after a sync period.
void sync_round(std::vector<ArrayAgreement>& members, const std::map<HolderIndex, ChunkLengths>& hostile = {}) {
    std::vector<ChunkLengths> standing;
    for (const ArrayAgreement& member : members) standing.push_back(member.standing());
    const std::size_t size = members.size() + hostile.size();
    for (std::size_t i = 0; i < members.size(); ++i) {
        for (std::size_t j = 0; j < members.size(); ++j)
            if (i != j) members[i].on_announcement(static_cast<HolderIndex>(j), standing[j]);
        for (const auto& [index, lie] : hostile) members[i].on_announcement(index, lie);
        members[i].update(size);
    }
}

TEST(ArrayAgreement, SmallDifferencesGoAway) {
    std::vector<ArrayAgreement> members(5, ArrayAgreement(initial));
    for (std::uint32_t i = 0; i < 5; ++i) members[i].set_proposal(array(1, 1000 + i));
    for (int round = 0; round < 3; ++round) sync_round(members);
    for (const ArrayAgreement& member : members) EXPECT_EQ(member.current(), array(1, 1000));
}

TEST(ArrayAgreement, NeedsMoreThanHalf) {
    std::vector<ArrayAgreement> members(4, ArrayAgreement(initial));
    members[0].set_proposal(array(1, 1000));
    members[1].set_proposal(array(1, 1000));
    for (int round = 0; round < 3; ++round) sync_round(members);
    EXPECT_EQ(members[0].current(), initial);
    members[2].set_proposal(array(1, 1003));
    for (int round = 0; round < 3; ++round) sync_round(members);
    for (const ArrayAgreement& member : members)
        EXPECT_EQ(member.current(), array(1, 1000)) << "the content one follows";
}

TEST(ArrayAgreement, OneMemberCannotImposeAnArray) {
    std::vector<ArrayAgreement> members(3, ArrayAgreement(initial));
    std::map<HolderIndex, ChunkLengths> hostile{{3, array(1, 1)}, {4, array(9, 1)}};
    for (int round = 0; round < 3; ++round) sync_round(members, hostile);
    for (const ArrayAgreement& member : members) EXPECT_EQ(member.current(), initial);
    for (auto& member : members) member.set_proposal(array(1, 1000));
    for (int round = 0; round < 3; ++round) sync_round(members, hostile);
    for (const ArrayAgreement& member : members) EXPECT_EQ(member.current(), array(1, 1000));
}

TEST(ArrayAgreement, ALateMemberFollows) {
    std::vector<ArrayAgreement> members(3, ArrayAgreement(array(7, 500)));
    members.emplace_back(initial);
    sync_round(members);
    EXPECT_EQ(members.back().current(), array(7, 500));
    EXPECT_FALSE(members.back().update(4)) << "told once";
}

}  // namespace
}  // namespace planetserve::routing
