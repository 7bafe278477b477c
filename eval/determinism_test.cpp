// The same seed gives the same figures, down to the last digit of the summary.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>

#include "adapters/llama/test_support.h"
#include "eval/ablation/ablation_parts.h"
#include "eval/hash_width/hash_width_experiment.h"
#include "eval/routing/routing_experiment.h"

namespace planetserve::eval {
namespace {

struct DeterminismTest : testing::Test {
    DeterminismTest() {
        // Conversations of four turns behind one shared block.
        std::ofstream trace(folder.path / "trace.jsonl");
        for (int i = 0; i < 120; ++i) {
            const int conversation = i % 30;
            const int turn = i / 30;
            trace << "{\"timestamp\": " << i * 100 << ", \"input_length\": " << (turn + 2) * 512
                  << ", \"output_length\": " << 20 + i % 7 << ", \"hash_ids\": [0";
            for (int block = 0; block <= turn; ++block) trace << ", " << 1 + conversation * 4 + block;
            trace << "]}\n";
        }
    }

    std::string summary(std::unique_ptr<Experiment> experiment, std::vector<std::string> arguments,
                        std::uint64_t seed) {
        CLI::App app;
        experiment->add_options(app);
        arguments.insert(arguments.begin(), {"--trace", (folder.path / "trace.jsonl").string()});
        std::ranges::reverse(arguments);
        app.parse(arguments);
        auto report = Report::open(folder.path / "out");
        EXPECT_TRUE(report);
        Status done = experiment->run({.seed = seed, .quick = true}, *report);
        EXPECT_TRUE(done) << done.error().message;
        return report->summary_json();
    }

    adapters::testing_support::TemporaryFolder folder;
};

TEST_F(DeterminismTest, Routing) {
    const std::string once = summary(make_routing_experiment(), {"--nodes", "4"}, 1);
    EXPECT_EQ(once, summary(make_routing_experiment(), {"--nodes", "4"}, 1));
    EXPECT_NE(once, summary(make_routing_experiment(), {"--nodes", "4"}, 2));
    for (const char* key : {"oracle_share", "wrong_match_share", "load_max_over_mean"})
        EXPECT_TRUE(once.contains('"' + std::string(key) + '"')) << once;
}

TEST_F(DeterminismTest, HashWidth) {
    const std::string once = summary(make_hash_width_experiment(), {}, 1);
    EXPECT_EQ(once, summary(make_hash_width_experiment(), {}, 1));
}

TEST_F(DeterminismTest, ArmsOfTheAblation) {
    auto arms = [&] {
        auto work = trace_work((folder.path / "trace.jsonl").string(), 0);
        EXPECT_TRUE(work);
        work->cluster.nodes = 4;
        SeededRandom random(1);
        EXPECT_TRUE(set_load(*work, 0.8, random));
        Table table(figure_columns({"work", "arm"}));
        EXPECT_TRUE(run_arms(*work, table));
        return table.csv();
    };
    EXPECT_EQ(arms(), arms());
}

}  // namespace
}  // namespace planetserve::eval
