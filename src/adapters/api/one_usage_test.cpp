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

}  // namespace
}  // namespace planetserve::adapters
