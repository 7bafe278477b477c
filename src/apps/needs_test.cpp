#include "apps/needs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"
#include "local/local_genesis.h"

namespace planetserve::apps {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

class Needs : public testing::Test {
protected:
    Needs() : folder_(fs::temp_directory_path() / ("planetserve-needs-" + std::to_string(getpid()))) {}
    ~Needs() override { fs::remove_all(folder_); }

    Words of(std::vector<std::string> arguments) const {
        CommandLine line;
        return needs_of(line.parse(arguments));
    }
    // A node with this configuration beside a genesis of so many verification nodes.
    Words of_node(const std::string& verb, const std::string& keys, std::size_t verifiers = 1) const {
        const fs::path config = folder_ / "config.yaml";
        EXPECT_TRUE(write_file(config, "home: " + (folder_ / "node").string() +
                                           "\ngenesis: " + found(verifiers).genesis().string() + "\n" + keys));
        return of({verb, "--config", config.string()});
    }
    local::NetworkHome found(std::size_t verifiers) const {
        local::NetworkHome home(folder_ / ("net-" + std::to_string(verifiers)));
        local::NetworkFile network;
        for (std::size_t i = 0; i < verifiers; ++i)
            network.nodes.push_back({"verifier-" + std::to_string(i + 1), "verifier"});
        EXPECT_TRUE(local::ensure_local_genesis(home, network, std::nullopt));
        return home;
    }

    fs::path folder_;
};

TEST_F(Needs, UpNeedsCometbftForACommitteeAlone) {
    const std::string fresh = (folder_ / "none").string();
    EXPECT_EQ(of({"up", "--home", fresh}), (Words{"program", "engine", "models"}));
    EXPECT_EQ(of({"join", "--home", fresh, "planetserve:x", "y"}), (Words{"program"}));
    EXPECT_EQ(of({"join", "--home", fresh, "planetserve:x", "--serve", "m"}), (Words{"program", "engine", "models"}));
    EXPECT_EQ(of({"leave"}), Words{});
    EXPECT_EQ(of({"up", "--home", fresh, "--verifiers", "1"}), (Words{"program", "engine", "models"}));
    EXPECT_EQ(of({"up", "--home", fresh, "--verifiers", "4"}), (Words{"program", "engine", "models", "cometbft"}));
    EXPECT_EQ(of({"up", "--home", found(2).path().string()}), (Words{"program", "engine", "models", "cometbft"}));
    EXPECT_EQ(of({"up", "--home", found(1).path().string()}), (Words{"program", "engine", "models"}));
}

TEST_F(Needs, WhatStartsNothingNeedsNothing) {
    for (const char* verb : {"down", "stop", "status", "chat", "doctor", "audit"})
        EXPECT_EQ(of({verb}), Words{}) << verb;
    EXPECT_EQ(of({"id", "--home", "/x"}), Words{});
    EXPECT_EQ(of({"genesis", "--chain-id", "c", "--validator", "v", "--out", "f"}), Words{});
}

TEST_F(Needs, ANodeNeedsWhatItsConfigurationNames) {
    EXPECT_EQ(of_node("user", ""), Words{"program"});
    EXPECT_EQ(of_node("model", "models: [{name: m, upstream: 'http://127.0.0.1:1'}]"), Words{"program"});
    EXPECT_EQ(of_node("model", "models: [{name: m, file: /m.gguf}]"), (Words{"program", "engine"}));
    EXPECT_EQ(of_node("model", "models: [{name: m, catalogue: c}]"), (Words{"program", "engine", "models"}));
    EXPECT_EQ(of_node("verifier", ""), Words{"program"});
    EXPECT_EQ(of_node("verifier", "models: [{name: m, file: /m.gguf}]"), (Words{"program", "engine"}));
    EXPECT_EQ(of_node("verifier", "", 2), (Words{"program", "cometbft"}));
    EXPECT_EQ(of_node("model", "models: 7"), Words{"program"}) << "the node itself says what is wrong";
}

TEST_F(Needs, WrongUseIsLeftToTheCommandItself) {
    EXPECT_THROW(of({"frobnicate"}), CLI::ParseError);
    EXPECT_THROW(of({"up", "--help"}), CLI::ParseError);
    testing::internal::CaptureStdout();
    EXPECT_EQ(needs({"frobnicate"}), 0);
    EXPECT_EQ(needs({"up", "--help"}), 0);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace planetserve::apps
