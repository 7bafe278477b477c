#include "eval/kit/report.h"

#include <gtest/gtest.h>

#include <limits>

#include "eval/kit/experiment_fixture.h"

namespace planetserve::eval {
namespace {

TEST(Table, WritesCsvAndPlainText) {
    Table table({"arm", "ttft_s", "n"});
    table.add({"a, \"b\"", 1.0 / 3, 12});
    table.add({"c", std::numeric_limits<double>::quiet_NaN(), Cell()});
    EXPECT_EQ(table.csv(), "arm,ttft_s,n\n\"a, \"\"b\"\"\",0.333333333333,12\nc,,\n");
    EXPECT_EQ(table.plain(), "arm     ttft_s   n\na, \"b\"  0.3333  12\nc\n");
    EXPECT_THROW(table.add({1}), std::logic_error);
}

TEST(Report, SummaryIsFlatAndLast) {
    TemporaryFolder folder;
    auto report = Report::open(folder.path / "deep" / "run");
    ASSERT_TRUE(report);
    report->summary("share", 0.25);
    report->summary("name", "quo\"te");
    report->summary("requests", 3U);
    report->summary("quick", true);
    report->summary("nothing", std::numeric_limits<double>::infinity());
    report->summary("share", 0.5);
    EXPECT_FALSE(std::filesystem::exists(report->folder() / "summary.json"));
    ASSERT_TRUE(report->finish());
    auto text = read_file(report->folder() / "summary.json", 1000);
    ASSERT_TRUE(text);
    EXPECT_EQ(
        *text,
        "{\n  \"share\": 0.5,\n  \"name\": \"quo\\\"te\",\n  \"requests\": 3,\n  \"quick\": true,\n  \"nothing\": "
        "null\n}\n");
    EXPECT_FALSE(std::filesystem::exists(report->folder() / "summary.json.part"));
    ASSERT_TRUE(Report::open(folder.path / "deep" / "run"));
    EXPECT_FALSE(std::filesystem::exists(folder.path / "deep" / "run" / "summary.json"));
}

TEST(Figure, TextCannotEscapeItsQuotes) {
    Figure figure{.name = "f", .title = "a \"b\" \\ c\nd", .x_label = "x", .y_label = "y", .series = {}};
    figure.series.push_back({"s", {{1, 2}, {2, std::numeric_limits<double>::infinity()}}});
    std::string script = gnuplot_script(figure);
    EXPECT_TRUE(script.contains("set title \"a \\\"b\\\" \\\\ c d\"\n"));
    EXPECT_TRUE(script.contains("$data0 << EOD\n1 2\nEOD\n"));
}

TEST(Figure, AnEmptyOneIsRefusedAndLeavesItsScript) {
    TemporaryFolder folder;
    Figure figure{.name = "f", .title = "t", .x_label = "x", .y_label = "y", .series = {{"s", {}}}};
    Status drawn = draw(figure, folder.path);
    ASSERT_FALSE(drawn);
    EXPECT_EQ(drawn.error().code, ErrorCode::invalid_argument);
    EXPECT_TRUE(std::filesystem::exists(folder.path / "f.gp"));
}

TEST(Figure, DrawsWhereThereIsGnuplot) {
    TemporaryFolder folder;
    Figure bars{.name = "bars",
                .title = "t",
                .x_label = "x",
                .y_label = "y",
                .style = Figure::Style::bars,
                .series = {{"one", {{0, 1}, {1, 2}}}, {"two", {{0, 3}, {1, 4}}}},
                .groups = {"left", "right"}};
    Status drawn = draw(bars, folder.path);
    if (!drawn && drawn.error().code == ErrorCode::not_found) GTEST_SKIP() << "no gnuplot";
    ASSERT_TRUE(drawn) << drawn.error().message;
    EXPECT_GT(std::filesystem::file_size(folder.path / "bars.svg"), 1000U);
    Figure steps{
        .name = "cdf", .title = "t", .x_label = "x", .y_label = "y", .style = Figure::Style::steps, .log_x = true};
    steps.series.push_back(cumulative_distribution("s", {3, 1, 2}));
    EXPECT_EQ(steps.series[0].points[0], std::make_pair(1.0, 1.0 / 3));
    EXPECT_TRUE(draw(steps, folder.path));
}

}  // namespace
}  // namespace planetserve::eval
