#include "adapters/api/model_request.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/random.h"

namespace planetserve::adapters {
namespace {

namespace json = boost::json;
const std::string chats = "/v1/chat/completions";

TEST(ModelRequest, ReadsModelAndStream) {
    auto read = parse_model_request(chats, R"({"messages":[{"model":"inner","stream":true}],"model":"a\u0062c"})");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, (ModelRequest{"abc", false, false}));
    EXPECT_EQ(*parse_model_request("/v1/completions", R"( {"model":"m","stream":true} )"),
              (ModelRequest{"m", true, false}));
    EXPECT_EQ(*parse_model_request("/v1/completions", R"({"model":"m","stream":null})"),
              (ModelRequest{"m", false, false}));
    EXPECT_EQ(*parse_model_request("/v1/completions", R"({"model":1,"model":"x","model":"last"})"),
              (ModelRequest{"last", false, false}));
}

TEST(ModelRequest, SeesWhetherSeveralAnswersAreWanted) {
    auto several = [](std::string_view more) {
        return parse_model_request("/v1/completions", "{\"model\":\"m\"" + std::string(more) + "}")->several;
    };
    EXPECT_TRUE(several(",\"n\":2"));
    EXPECT_FALSE(several(",\"n\":1"));
    EXPECT_FALSE(several(",\"n\":null"));
    EXPECT_FALSE(several(",\"x\":{\"n\":2}"));
    EXPECT_FALSE(several(""));
}

TEST(ModelRequest, NamesTheParameter) {
    auto param = [](std::string_view body) { return parse_model_request(chats, body).error().param; };
    EXPECT_EQ(param(R"({"messages":[1]})"), "model");
    EXPECT_EQ(param(R"({"messages":[1],"model":""})"), "model");
    EXPECT_EQ(param(R"({"messages":[1],"model":["a"]})"), "model");
    EXPECT_EQ(param(R"({"messages":[1],"model":")" + std::string(257, 'm') + "\"}"), "model");
    EXPECT_EQ(param(R"({"messages":[1],"model":"m","stream":"yes"})"), "stream");
    EXPECT_EQ(param(R"({"model":"m"})"), "messages");
    EXPECT_EQ(param(R"({"model":"m","messages":[]})"), "messages");
    EXPECT_EQ(param(R"({"model":"m","messages":"hi"})"), "messages");
    EXPECT_EQ(param(R"({"model":"m","messages":[1],"messages":[]})"), "messages");
}

TEST(ModelRequest, NamesTheByte) {
    auto message = [](std::string_view body) { return parse_model_request(chats, body).error().message; };
    EXPECT_TRUE(message("{\"a\": x}").ends_with("at byte 6"));
    EXPECT_TRUE(message("").ends_with("at byte 0"));
    EXPECT_TRUE(message("{\"a\"").ends_with("at byte 4"));
    EXPECT_TRUE(message("{} ,").ends_with("at byte 3"));
    EXPECT_TRUE(message("{\"a\":\"" + std::string(10000, 'a') + "\x01").ends_with("at byte 10006"));
    EXPECT_TRUE(message("{\"a\":" + std::string(200, '[')).ends_with("at byte 132"));
    EXPECT_TRUE(message("[1]").ends_with("must be a JSON object"));
}

// The naive twin builds the whole value.
TEST(ModelRequest, ReadsWhatAWholeParserReads) {
    SeededRandom random(7);
    const std::vector<std::string> tokens{
        "{",     "}",    "[",    "]", ",", ":",        "\"model\"", "\"messages\"",        "\"stream\"",
        "\"m\"", "true", "null", "1", " ", "\"a\\n\"", "\"\"",      std::string(5000, ' ')};
    std::size_t accepted = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string body = "{\"model\":\"m\"";
        for (std::size_t member = random.below(4); member > 0; --member) {
            body += ",";
            for (std::size_t token = 1 + random.below(5); token > 0; --token)
                body += tokens[random.below(tokens.size())];
            if (random.below(2) == 0) body += ",\"messages\":[1]";
        }
        body += "}";
        auto read = parse_model_request("/v1/completions", body);
        boost::system::error_code error;
        json::value whole = json::parse(body, error);
        if (error) {
            EXPECT_FALSE(read) << body;
            continue;
        }
        const json::object& object = whole.as_object();
        const json::value* model = object.if_contains("model");
        const json::value* stream = object.if_contains("stream");
        bool fits = model->is_string() && !model->as_string().empty() &&
                    (stream == nullptr || stream->is_bool() || stream->is_null());
        ASSERT_EQ(read.has_value(), fits) << body;
        if (!fits) continue;
        ++accepted;
        EXPECT_EQ(read->model, std::string(model->as_string()));
        EXPECT_EQ(read->stream, stream != nullptr && stream->is_bool() && stream->as_bool());
    }
    EXPECT_GT(accepted, 1000U);
}

}  // namespace
}  // namespace planetserve::adapters
