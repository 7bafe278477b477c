#include "adapters/api/responses_events.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace planetserve::adapters {
namespace {

namespace json = boost::json;

json::value data_of(const std::string& event) {
    EXPECT_TRUE(event.starts_with("event: response.failed\ndata: {")) << event;
    EXPECT_TRUE(event.ends_with("}\n\n")) << event;
    return json::parse(event.substr(event.find('{')));
}

TEST(ResponsesEvents, TheLastOneIsOfTheSameResponse) {
    ResponsesEvents events;
    events.see("event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",");
    events.see("\"model\":\"m\",\"status\":\"in_progress\"}}\n\ndata: {\"type\":\"response.output_text.delta\"}\n\n");
    EXPECT_FALSE(events.ended());
    const json::value last = data_of(events.failed({503, "gone", "server_error", "", "unavailable"}, "req_1"));
    EXPECT_EQ(last.at("type").as_string(), "response.failed");
    EXPECT_EQ(last.at("sequence_number").to_number<int>(), 2);
    EXPECT_EQ(last.at("response").at("id").as_string(), "resp_1");
    EXPECT_EQ(last.at("response").at("model").as_string(), "m");
    EXPECT_EQ(last.at("response").at("status").as_string(), "failed");
    EXPECT_EQ(last.at("response").at("error").at("code").as_string(), "unavailable");
    EXPECT_EQ(last.at("response").at("error").at("message").as_string(), "gone");
}

TEST(ResponsesEvents, AnEngineMayHaveSaidNothing) {
    ResponsesEvents events;
    ApiError error{400, "too long", "exceed_context_size_error", "", "", R"({"n_ctx":4096})"};
    const json::value last = data_of(events.failed(error, "req_1"));
    EXPECT_EQ(last.at("response").at("id").as_string(), "resp_req_1");
    EXPECT_EQ(last.at("response").at("error").at("code").as_string(), "exceed_context_size_error");
    EXPECT_EQ(last.at("response").at("error").at("n_ctx").to_number<int>(), 4096);
}

TEST(ResponsesEvents, KnowsItsEnds) {
    for (std::string type : {"response.completed", "response.incomplete", "response.failed"}) {
        ResponsesEvents events;
        events.see("data: {\"type\":\"response.output_text.delta\",\"delta\":\"a \\\"" + type + "\\\" b\"}\n\n");
        EXPECT_FALSE(events.ended()) << "a quotation";
        events.see("data: {\"type\":\"" + type + "\"}\n\n");
        EXPECT_TRUE(events.ended()) << type;
    }
}

}  // namespace
}  // namespace planetserve::adapters
