// The model-based tests of tendermint-rs. A model checker made chains from a TLA+ specification of the light client and
// states the verdict of each step (tests/vectors/lightclient/README.md). This repository has four scenarios; all 41 run
// where they are available.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "lightclient/light_block_fixture.h"
#include "lightclient/verify.h"

namespace planetserve::lightclient {
namespace {

namespace fs = std::filesystem;

struct Tally {
    std::size_t scenarios = 0;
    std::map<std::string, std::size_t> steps;  // by verdict
};

// The verdict on the block of one step. The scenarios also give the block's next validators, by which the next step is
// verified.
std::string verdict(std::optional<TrustedBlock>& trusted, const boost::json::value& step, const Options& options) {
    const auto& json = step.at("block");
    auto validators = validators_from_json(json.at("validator_set"));
    auto next = validators_from_json(json.at("next_validator_set"));
    if (!validators) return "INVALID";
    LightBlock block{header_from_json(json.at("signed_header").at("header")),
                     commit_from_json(json.at("signed_header").at("commit")), *validators};
    // Encoding and parsing give the same block.
    if (check(block.header)) {
        EXPECT_EQ(parse_light_block(encode(block)).value(), block);
    }
    auto checked = verify(*trusted, block, options, timestamp_from_json(step.at("now")));
    if (!checked) return checked.error().reason == Reason::not_enough_trust ? "NOT_ENOUGH_TRUST" : "INVALID";
    if (!next || !std::ranges::equal(block.header.next_validators_hash, next->hash())) return "INVALID";
    trusted = TrustedBlock{block.header, *next};
    return "SUCCESS";
}

void run(const fs::path& file, Tally& tally) {
    SCOPED_TRACE(file.filename().string());
    std::ifstream stream(file);
    auto json = boost::json::parse(std::string(std::istreambuf_iterator(stream), {}));
    const auto& initial = json.at("initial");
    Options options;
    options.trusting_period =
        std::chrono::seconds(std::stoll(std::string(initial.at("trusting_period").as_string())) / 1'000'000'000);
    options.maximum_clock_drift = 1s;
    auto next = validators_from_json(initial.at("next_validator_set"));
    ASSERT_TRUE(next);
    std::optional<TrustedBlock> trusted =
        TrustedBlock{header_from_json(initial.at("signed_header").at("header")), *next};
    for (const auto& step : json.at("input").as_array()) {
        std::string expected(step.at("verdict").as_string());
        EXPECT_EQ(verdict(trusted, step, options), expected) << "step " << &step - json.at("input").as_array().data();
        ++tally.steps[expected];
    }
    ++tally.scenarios;
}

Tally run_folder(const fs::path& folder) {
    Tally tally;
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".json") files.insert(entry.path());
    for (const auto& file : files) run(file, tally);
    return tally;
}

fs::path source() { return PLANETSERVE_SOURCE_DIR; }

TEST(ModelBased, TheScenariosOfThisRepository) {
    Tally tally = run_folder(source() / "tests/vectors/lightclient/single_step");
    EXPECT_EQ(tally.scenarios, 4u);
    EXPECT_GT(tally.steps["SUCCESS"], 0u);
    EXPECT_GT(tally.steps["INVALID"], 0u);
    EXPECT_GT(tally.steps["NOT_ENOUGH_TRUST"], 0u);
}

// Reads all scenarios from $PLANETSERVE_LIGHTCLIENT_VECTORS or from shared/data/lightclient beside the checkout.
TEST(ModelBased, AllScenarios) {
    const char* named = std::getenv("PLANETSERVE_LIGHTCLIENT_VECTORS");
    fs::path folder = named && *named ? fs::path(named) : source().parent_path() / "shared/data/lightclient";
    if (!fs::is_directory(folder / "single_step"))
        GTEST_SKIP() << "no " << folder / "single_step" << "; name the folder in PLANETSERVE_LIGHTCLIENT_VECTORS";
    Tally tally = run_folder(folder / "single_step");
    EXPECT_EQ(tally.scenarios, 41u);
    EXPECT_EQ(tally.steps["SUCCESS"] + tally.steps["INVALID"] + tally.steps["NOT_ENOUGH_TRUST"], 99u);
    EXPECT_EQ(tally.steps["SUCCESS"], 44u);
}

}  // namespace
}  // namespace planetserve::lightclient
