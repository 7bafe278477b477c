#include "adapters/api/one_usage.h"

#include <gtest/gtest.h>

namespace planetserve::adapters {
namespace {

std::string count(int prompt, int completion) {
    return "data: {\"choices\":[],\"usage\":{\"completion_tokens\":" + std::to_string(completion) +
           ",\"prompt_tokens\":" + std::to_string(prompt) + ",\"total_tokens\":" + std::to_string(prompt + completion) +
           "}}\n\n";
}

TEST(OneUsage, AddsTheAnswersUp) {
    OneUsage usage;
    const std::string text = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"\\\"usage\\\"\"}}]}\n\n";
    const std::string stream = text + count(31, 3) + text + count(31, 5) + "data: [DONE]\n\n";
    std::string out;
    for (char c : stream) out += usage.take(std::string_view(&c, 1));
    EXPECT_EQ(out, text + text + count(31, 8) + "data: [DONE]\n\n");
    EXPECT_EQ(usage.end(), "");
}

TEST(OneUsage, GivesWhatItHeldWhereTheStreamEndsEarly) {
    OneUsage usage;
    EXPECT_EQ(usage.take(count(31, 3)), "");
    EXPECT_EQ(usage.end(), count(31, 3));
}

TEST(OneUsage, LeavesOtherEventsAlone) {
    OneUsage usage;
    const std::string last =
        "data: {\"choices\":[{\"index\":0}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    EXPECT_EQ(usage.take(last), last);
    EXPECT_EQ(usage.take("data: {\"usage\":null,\"choices\":[]}\n\n"), "data: {\"usage\":null,\"choices\":[]}\n\n");
}

// On the code before, counts of these sizes ended the user's node: what was added to them was over the reader's bound.
TEST(OneUsage, ACountOfManyMembersEndsNoNode) {
    for (std::size_t name = 12; name < 26; name += 2) {
        std::string more;
        for (int i = 1000; i < 9100; ++i) more += ",\"" + std::string(name, 'm') + std::to_string(i) + "\":0";
        OneUsage usage;
        std::string out = usage.take("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1" +
                                     more + "}}\n\n");
        out += usage.end();
        EXPECT_TRUE(out.starts_with("data: {") && out.ends_with("}\n\n")) << name;
    }
}

TEST(OneUsage, PassesOnAnEventThatIsTooLongAndWhatFollows) {
    OneUsage usage;
    const std::string begun = "data: {\"choices\":[{\"text\":\"" + std::string(OneUsage::longest_event - 40, 'x');
    const std::string rest = std::string(60, 'x') + "\"}]}\n\n: comment\n\n";
    EXPECT_EQ(usage.take(count(31, 3)), "");
    EXPECT_EQ(usage.take(begun), "");
    EXPECT_EQ(usage.take(rest.substr(0, 30)), count(31, 3) + begun + rest.substr(0, 30));
    EXPECT_EQ(usage.take(rest.substr(30)), rest.substr(30));
    EXPECT_EQ(usage.end(), "");
}

}  // namespace
}  // namespace planetserve::adapters
