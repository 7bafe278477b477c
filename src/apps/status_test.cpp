#include <gtest/gtest.h>

#include "apps/status_text.h"

namespace planetserve::apps {
namespace {

namespace json = boost::json;

json::object network(json::object model_node) {
    return {{"api", "http://127.0.0.1:8400/v1"},
            {"ready", true},
            {"reason", ""},
            {"nodes", json::array{json::object{{"name", "model-1"},
                                               {"role", "model"},
                                               {"state", "running"},
                                               {"id", "0123456789"},
                                               {"address", "127.0.0.1:7000"}}}},
            {"model_nodes", json::array{std::move(model_node)}},
            {"paths", json::array{}}};
}

json::object model_node() {
    return {{"id", "0123456789"},
            {"name", "model-1"},
            {"operator", "Example Ltd"},
            {"models", json::array{"m", "n"}},
            {"running", 1},
            {"queued", 0},
            {"capacity", 4},
            {"trusted", true},
            {"reputation", nullptr}};
}

TEST(StatusText, NamesAModelNodeAndItsOperator) {
    const std::string text = status_text(network(model_node()));
    EXPECT_NE(text.find("  model-1 (01234567) of Example Ltd  m, n  1 running, 0 queued, of 4  not verified\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("API  http://127.0.0.1:8400/v1  ready\n"), std::string::npos) << text;
}

TEST(StatusText, ShowsTheIdOfANodeFromElsewhere) {
    json::object node = model_node();
    node["name"] = node["operator"] = "";
    const std::string text = status_text(network(node));
    EXPECT_NE(text.find("\n  01234567  m, n"), std::string::npos) << text;
}

TEST(StatusText, ShowsReputationsWhereTheNetworkVerifies) {
    json::object node = model_node();
    node["reputation"] = 0.5;
    EXPECT_NE(status_text(network(node)).find("  reputation 0.50\n"), std::string::npos);
    node["reputation"] = 0.25;
    node["trusted"] = false;
    EXPECT_NE(status_text(network(node)).find("reputation 0.25  not trusted, gets no requests\n"), std::string::npos);
}

}  // namespace
}  // namespace planetserve::apps
