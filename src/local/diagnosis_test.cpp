#include "local/diagnosis.h"

#include <gtest/gtest.h>

namespace planetserve::local {
namespace {

namespace json = boost::json;

class Diagnosis : public testing::Test {
protected:
    OnFinding collect() {
        return [this](const Finding& finding) {
            found.push_back((finding.kind == Finding::Kind::good ? "+ " : "- ") + finding.what);
            advice.push_back(finding.advice);
        };
    }
    static json::object verifier(const std::string& name, const std::string& state) {
        return {{"name", name},
                {"role", "verifier"},
                {"state", "running"},
                {"committee", {{"consensus", {{"state", state}, {"reason", ""}}}}}};
    }
    static json::object path(const char* state, bool shares) { return {{"state", state}, {"shares_relays", shares}}; }

    NetworkHome home{"/net"};
    std::vector<std::string> found;
    std::vector<std::string> advice;
};

using Found = std::vector<std::string>;

TEST_F(Diagnosis, NamesTheNodesThatDoNotRun) {
    json::object all{{"nodes", json::array{json::object{{"name", "user-1"}, {"state", "running"}},
                                           json::object{{"name", "user-2"}, {"state", "stopped"}}}}};
    check_processes(home, all, collect());
    EXPECT_EQ(found, (Found{"- user-2 does not run"}));
    EXPECT_EQ(advice[0], "see /net/nodes/user-2/log, then: planetserve up --home /net");
    found.clear();
    all["nodes"].as_array().pop_back();
    check_processes(home, all, collect());
    EXPECT_EQ(found, (Found{"+ the only node runs"}));
}

TEST_F(Diagnosis, CountsACommitteesPower) {
    json::object all{
        {"nodes", json::array{verifier("v1", "running"), verifier("v2", "running"), verifier("v3", "starting")}}};
    check_committee(home, {}, all, collect());
    EXPECT_EQ(found, (Found{"- the consensus engine of v3 is starting",
                            "- only 2 of 3 verification nodes take part in consensus"}));
    found.clear();
    check_committee(home, {{"v1", 5}, {"v2", 5}, {"v3", 1}}, all, collect());
    EXPECT_EQ(found.back(),
              "+ 2 of 3 verification nodes, with 10 of 11 of the voting power, take part in consensus; more than two "
              "thirds are needed");
}

TEST_F(Diagnosis, SaysNothingOfASingleVerificationNode) {
    json::object all{{"nodes", json::array{verifier("v1", "running")}}};
    check_committee(home, {}, all, collect());
    EXPECT_EQ(found, Found{});
}

TEST_F(Diagnosis, SaysWhetherTheDirectoryIsCurrent) {
    json::object all;
    check_directory(all, collect());
    EXPECT_EQ(found, (Found{"- the directory is unknown"}));
    found.clear();
    all["directory"] = {{"users", 1}, {"model_nodes", 2}, {"height", 30}, {"problem", ""}};
    check_directory(all, collect());
    EXPECT_EQ(found, (Found{"+ the directory, checked against the genesis, lists 1 user node and 2 model nodes at "
                            "height 30"}));
    found.clear();
    all["directory"].as_object()["problem"] = "timed out";
    check_directory(all, collect());
    EXPECT_EQ(found, (Found{"- the directory cannot be refreshed: timed out"}));
}

TEST_F(Diagnosis, ComparesWhatRunsWithWhatIsListed) {
    auto node = [](const std::string& name, const std::string& id, const char* state) {
        return json::object{{"name", name}, {"role", "model"}, {"state", state}, {"id", id}};
    };
    json::object all{{"nodes", json::array{node("model-1", "aa", "running"), node("model-2", "bb", "running"),
                                           node("model-3", "cc", "running"), node("model-4", "", "stopped")}},
                     {"model_nodes", json::array{json::object{{"id", "aa"}, {"models", json::array{"m", "n"}}},
                                                 json::object{{"id", "bb"}, {"models", json::array{"m"}}}}}};
    check_listing(home, {{"model-1", {"m", "n"}}, {"model-2", {"m", "n"}}, {"model-3", {"m"}}}, all, collect());
    EXPECT_EQ(found, (Found{"- model-2 is to serve n, and is not listed with it",
                            "- model-3 runs, and the directory does not list it"}));
    EXPECT_EQ(advice[0], "see /net/nodes/model-2/log and the logs of its engines beside it");
}

TEST_F(Diagnosis, CountsPathsAndThoseThatShareARelay) {
    json::object all{{"ready", true},
                     {"reason", ""},
                     {"directory", {{"users", 4}}},
                     {"paths", json::array{path("up", true), path("building", false)}}};
    check_paths(all, collect());
    EXPECT_EQ(found, (Found{"+ 1 path is up", "- 1 path shares a relay"}));
    EXPECT_EQ(advice[1], "four paths of three relays need 13 user nodes; start more for full anonymity");
    found.clear();
    all["ready"] = false;
    all["reason"] = "too few relays";
    all["paths"] = json::array{};
    check_paths(all, collect());
    EXPECT_EQ(found, (Found{"- 0 paths are up: too few relays"}));
}

}  // namespace
}  // namespace planetserve::local
