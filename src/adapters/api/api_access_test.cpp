// Who may ask, and for what: keys, web pages, paths, queries, encodings.

#include "adapters/api/api_fixture.h"
#include "adapters/api/api_rules.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;
using ApiAccessTest = ApiTest;

TEST_F(ApiAccessTest, EitherOfTwoKeysSuffices) {
    options.api_key = "secret";
    auto status = [this](const std::string& headers) { return ask(get("/v1/models", headers)).status; };
    EXPECT_EQ(status("Authorization: Bearer other\r\nX-Api-Key: secret\r\n"), 200U);
    EXPECT_EQ(status("Authorization: Bearer secret\r\nX-Api-Key: other\r\n"), 200U);
    EXPECT_EQ(status("Authorization: Bearer other\r\nX-Api-Key: other\r\n"), 401U);
    EXPECT_EQ(status("Authorization: Bearer \r\n"), 401U);
}

TEST_F(ApiAccessTest, AnAllowedPageMayAskAndRead) {
    options.allowed_origins = {"https://page.example"};
    const std::string origin = "Origin: https://page.example\r\n";
    Reply before = ask(get("/v1/chat/completions",
                           origin + "Access-Control-Request-Method: POST\r\n"
                                    "Access-Control-Request-Headers: content-type, x-stainless-os\r\n",
                           "OPTIONS"));
    EXPECT_EQ(before.status, 200U);
    EXPECT_EQ(before.header("access-control-allow-origin"), "https://page.example");
    EXPECT_EQ(before.header("access-control-allow-methods"), "POST, OPTIONS");
    EXPECT_EQ(before.header("access-control-allow-headers"), "content-type, x-stainless-os");
    EXPECT_EQ(before.header("vary"), "origin");
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat, origin));
    asked().whole(200, "application/json", "{}");
    Reply reply = client.reply();
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.header("access-control-allow-origin"), "https://page.example");
    EXPECT_EQ(ask(get("/v1/nothing", origin)).header("access-control-allow-origin"), "https://page.example")
        << "a page must be able to read an error";
    // Names that only look alike.
    for (std::string other : {"https://page.example.evil", "http://page.example", "https://PAGE.example/", "null"})
        EXPECT_EQ(ask(get("/v1/models", "Origin: " + other + "\r\n")).status, 403U) << other;
    EXPECT_EQ(ask("GET /v1/models HTTP/1.1\r\nHost: page.example\r\n" + origin + "\r\n").status, 403U)
        << "DNS rebinding: the page's name leads here";
}

TEST_F(ApiAccessTest, ARefusedPageIsToldHowItCanBeAllowed) {
    for (std::string origin : {"https://page.example", "http://localhost:3000"}) {
        Reply before =
            ask(get("/v1/models", "Origin: " + origin + "\r\nAccess-Control-Request-Method: GET\r\n", "OPTIONS"));
        EXPECT_EQ(before.status, 403U);
        EXPECT_NE(before.error("message").find("api.allowed_origins"), std::string::npos) << before.body;
        EXPECT_EQ(before.header("access-control-allow-origin"), "");
    }
    EXPECT_NE(ask(get("/v1/models", "Origin: https://page.example\r\n")).error("message").find("api.allowed_origins"),
              std::string::npos);
}

TEST_F(ApiAccessTest, APageNeedsTheKeyButNotToAskBeforehand) {
    options.api_key = "secret";
    options.allowed_origins = {"https://page.example"};
    const std::string origin = "Origin: https://page.example\r\n";
    EXPECT_EQ(ask(get("/v1/models", origin + "Access-Control-Request-Method: GET\r\n", "OPTIONS")).status, 200U);
    Reply refused = ask(get("/v1/models", origin));
    EXPECT_EQ(refused.status, 401U);
    EXPECT_EQ(refused.header("access-control-allow-origin"), "https://page.example");
    EXPECT_EQ(ask(get("/v1/models", origin + "X-Api-Key: secret\r\n")).status, 200U);
    EXPECT_EQ(ask(get("/v1/models", "", "OPTIONS")).status, 401U);
}

TEST_F(ApiAccessTest, HintsAtThePathThatWasMeant) {
    for (auto [wrong, meant] :
         {std::pair{"/v1//models", "/v1/models"}, std::pair{"/v1/models/", "/v1/models"},
          std::pair{"/v1/v1/models", "/v1/models"}, std::pair{"/v1", "/v1/models"},
          std::pair{"/v1/v1/chat/completions", "/v1/chat/completions"},
          std::pair{"//v1/chat/completions/", "/v1/chat/completions"},
          std::pair{"/chat/completions", "/v1/chat/completions"}, std::pair{"/models", "/v1/models"}}) {
        Reply reply = ask(get(wrong));
        EXPECT_EQ(reply.status, 404U) << wrong;
        EXPECT_EQ(reply.error("message"), "there is no " + std::string(wrong) + " here; did you mean " + meant + "?");
        EXPECT_EQ(reply.error("code"), "unknown_url");
    }
    EXPECT_EQ(ask(get("/v1/nothing")).error("message"), "there is no /v1/nothing here");
}

TEST_F(ApiAccessTest, KnowsEachQuery) {
    Client client = this->client();
    client.send(post("/v1/messages/count_tokens?beta=true", chat));
    EXPECT_EQ(asked().request.path, "/v1/messages/count_tokens");
    for (std::string target : {"/v1/chat/completions?beta=true", "/v1/messages?beta=false",
                               "/v1/messages?beta=true&x=1", "/v1/completions?prompt=1"}) {
        Reply reply = ask(post(target, chat));
        EXPECT_EQ(reply.status, 400U) << target;
        EXPECT_NE(reply.body.find("is not known"), std::string::npos) << reply.body;
    }
    EXPECT_EQ(service.asked.size(), 1U);
}

// A longer one made a record of a request that ended the node.
TEST_F(ApiAccessTest, ATargetHasItsLimit) {
    const std::string path = "/v1/models?";
    EXPECT_EQ(ask(get(path + std::string(1024 - path.size(), 'x'))).status, 200U);
    Reply longer = ask(get(path + std::string(1025 - path.size(), 'x')));
    EXPECT_EQ(longer.status, 414U);
    EXPECT_EQ(longer.error("code"), "target_too_long");
    EXPECT_EQ(ask(post("/v1/chat/completions?" + std::string(17 << 10, 'x'), chat)).status, 414U);
    EXPECT_TRUE(service.asked.empty());
}

TEST_F(ApiAccessTest, TakesNoEncodedBody) {
    for (std::string encoding : {"gzip", "br", "identity, gzip"}) {
        Reply reply = ask(post("/v1/chat/completions", "\x1f\x8b\x08", "Content-Encoding: " + encoding + "\r\n"));
        EXPECT_EQ(reply.status, 415U) << encoding;
        EXPECT_EQ(reply.header("accept-encoding"), "identity");
        EXPECT_EQ(reply.error("code"), "unsupported_encoding");
    }
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat, "Content-Encoding: Identity\r\n"));
    EXPECT_EQ(asked().request.model, "tiny");
}

TEST_F(ApiAccessTest, LocalhostIsBothLoopbacks) {
    options.listen = {"localhost", 0};
    start();
    EXPECT_EQ(ask(get("/health")).status, 200U);
    tcp::socket socket(context);
    boost::system::error_code error;
    socket.connect({boost::asio::ip::address_v6::loopback(), port}, error);
    if (error == boost::asio::error::address_family_not_supported ||
        error == boost::system::errc::address_not_available)
        GTEST_SKIP() << "this machine has no IPv6";
    EXPECT_FALSE(error) << error.message();
}

TEST_F(ApiAccessTest, TheKeyAndTheOriginsChangeWhileItRuns) {
    start();
    EXPECT_EQ(ask(get("/v1/models")).status, 200U);
    ApiOptions changed = options;
    changed.api_key = "secret";
    changed.allowed_origins = {"https://page.example"};
    changed.maximum_body = 10;
    ASSERT_TRUE(server->change(changed));
    EXPECT_EQ(ask(get("/v1/models")).status, 401U);
    Reply large = ask(post("/v1/chat/completions", chat, "X-Api-Key: secret\r\nOrigin: https://page.example\r\n"));
    EXPECT_EQ(large.status, 413U);
    EXPECT_EQ(large.header("access-control-allow-origin"), "https://page.example");
}

TEST_F(ApiAccessTest, TheKeyStaysWhereOthersReachTheNode) {
    options.listen = {"0.0.0.0", 0};
    options.api_key = "secret";
    start();
    ApiOptions open = options;
    open.api_key.reset();
    auto changed = server->change(open);
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code, ErrorCode::permission_denied);
    EXPECT_EQ(ask(get("/v1/models")).status, 401U);
}

TEST_F(ApiAccessTest, ChoosesAModelNodeWhereTheClientNamesOne) {
    const std::string id(64, 'a');
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat, "X-PlanetServe-Model-Node: " + id + "\r\n"));
    EXPECT_EQ(asked().request.node, NodeId::from_hex(id));
    EXPECT_EQ(ask(post("/v1/chat/completions", chat, "X-PlanetServe-Model-Node: model-1\r\n")).status, 400U);
}

TEST_F(ApiAccessTest, TellsWhatIsWrongWithTheNode) {
    state.trouble = "the list is 4000 s old; the verification node or this clock is wrong";
    EXPECT_EQ(ask(get("/health")).parsed().at("problem").as_string(), state.trouble);
    state.readiness = fail(ErrorCode::unavailable, "0 of 4 paths are up");
    Reply starting = ask(get("/health"));
    EXPECT_EQ(starting.status, 503U);
    EXPECT_EQ(starting.parsed().at("reason").as_string(), "0 of 4 paths are up");
    EXPECT_EQ(starting.parsed().at("problem").as_string(), state.trouble);
    service.refusal = Error{ErrorCode::unavailable, "no path is up"};
    EXPECT_EQ(ask(post("/v1/chat/completions", chat)).error("message"), "no path is up; " + state.trouble);
    service.refusal = Error{ErrorCode::not_found, "no such model"};
    EXPECT_EQ(ask(post("/v1/chat/completions", chat)).error("message"), "no such model");
}

}  // namespace
}  // namespace planetserve::adapters
