// What is computed or simulated depends on the seed alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "eval/kit/experiment_fixture.h"

namespace planetserve::eval {
namespace {

std::vector<std::string> deterministic_ones() {
    std::vector<std::string> names;
    for (const auto& experiment : all_experiments())
        if (experiment->runs_alone() &&
            (experiment->basis() == Basis::analytic || experiment->basis() == Basis::simulated))
            names.emplace_back(experiment->name());
    return names;
}

std::unique_ptr<Experiment> find(std::string_view name) {
    for (auto& experiment : all_experiments())
        if (experiment->name() == name) return std::move(experiment);
    return nullptr;
}

class Deterministic : public testing::TestWithParam<std::string> {};

TEST_P(Deterministic, SameSeedSameSummary) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "ten times as slow, and the parts have tests of their own";
#endif
    // Those that need a trace have a test of their own, with a small one; the real one takes minutes.
    ::unsetenv("PLANETSERVE_TRACES");
    ::unsetenv("PLANETSERVE_ROOT");
    auto first = find(GetParam());
    if (Status ready = first->ready(); !ready) GTEST_SKIP() << ready.error().message;
    auto one = run_experiment(*first, "");
    auto other = run_experiment(*find(GetParam()), "");
    ASSERT_TRUE(one) << one.error().message;
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(one->summary, other->summary);
}

INSTANTIATE_TEST_SUITE_P(Experiments, Deterministic, testing::ValuesIn(deterministic_ones()), [](const auto& chosen) {
    std::string name = chosen.param;
    std::ranges::replace(name, '-', '_');
    return name;
});

TEST(Experiments, HaveNamesOfTheirOwn) {
    std::set<std::string> names{"all", "list"};
    for (const auto& experiment : all_experiments())
        EXPECT_TRUE(names.emplace(experiment->name()).second) << experiment->name();
}

}  // namespace
}  // namespace planetserve::eval
