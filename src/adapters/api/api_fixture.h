// For the tests of this folder: a server on a real socket, clients that speak bytes, and a Service of which each test
// says what it answers.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/api/api_server.h"

namespace planetserve::adapters::testing_support {

namespace json = boost::json;
using boost::asio::ip::tcp;

inline bool run_until(boost::asio::io_context& context, const std::function<bool()>& done,
                      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        if (done()) return true;
        if (std::chrono::steady_clock::now() > end) return false;
        context.restart();
        context.run_one_for(std::chrono::milliseconds(2));
    }
}

// Takes requests and keeps them; the test plays the model node.
class FakeService final : public inference::Service {
public:
    struct Asked {
        inference::Request request;
        inference::ReplySink* sink = nullptr;  // none once the request is cancelled or over
        std::size_t consumed = 0;

        void head(unsigned status, std::string type, std::vector<std::pair<std::string, std::string>> more = {}) {
            more.emplace(more.begin(), "content-type", std::move(type));
            if (sink) sink->on_head({status, std::move(more)});
        }
        void body(std::string_view text) {
            if (sink) sink->on_body(as_bytes(text));
        }
        void end() {
            if (sink) sink->on_end();
        }
        void error(Error error) {
            if (sink) sink->on_error(error);
        }
        void whole(unsigned status, std::string type, std::string_view text) {
            head(status, std::move(type));
            body(text);
            end();
        }
    };

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        if (refusal) return std::unexpected(*refusal);
        asked.push_back(std::make_shared<Asked>(Asked{std::move(request), &sink}));
        if (failure_at_once) sink.on_error(*failure_at_once);
        return std::make_unique<Handle>(asked.back());
    }

    std::vector<std::shared_ptr<Asked>> asked;
    std::optional<Error> refusal;
    std::optional<Error> failure_at_once;  // told before start returns

private:
    struct Handle final : inference::Exchange {
        explicit Handle(std::shared_ptr<Asked> of) : asked(std::move(of)) {}
        ~Handle() override { asked->sink = nullptr; }
        void consumed(std::size_t bytes) override { asked->consumed += bytes; }
        std::shared_ptr<Asked> asked;
    };
};

struct FakeState final : ApiState {
    std::vector<ServedModel> models() override { return served; }
    Status ready() override { return readiness; }
    std::string status_json() override { return R"({"node":"here"})"; }
    std::vector<ServedModel> served{{"org/small", 1700000000, "planetserve"}, {"tiny", 1700000000, "planetserve"}};
    std::string problem() override { return trouble; }
    void on_answered(const std::string& model) override { answered.push_back(model); }
    Status readiness;
    std::string trouble;
    std::vector<std::string> answered;
};

struct Reply {
    unsigned status = 0;
    std::multimap<std::string, std::string> headers;
    std::string body;

    std::string header(const std::string& name) const {
        auto found = headers.find(name);
        return found == headers.end() ? "" : found->second;
    }
    json::value parsed() const { return json::parse(body); }
    std::string error(const char* member) const {
        json::value value = parsed().at("error").at(member);
        return value.is_string() ? std::string(value.as_string()) : "";
    }
};

class Client {
public:
    Client(boost::asio::io_context& context, std::uint16_t port) : context_(context), socket_(context) {
        socket_.connect({boost::asio::ip::make_address("127.0.0.1"), port});
        socket_.non_blocking(true);
    }
    // Small enough for the socket's buffer, or the server reads on meanwhile.
    void send(std::string_view text) {
        while (!text.empty()) {
            boost::system::error_code error;
            text.remove_prefix(socket_.write_some(boost::asio::buffer(text), error));
            if (error && error != boost::asio::error::would_block) return;
            context_.restart();
            context_.poll();
        }
    }
    bool has(std::string_view text) {
        return run_until(context_, [&] {
            read();
            return in_.find(text) != std::string::npos;
        });
    }
    bool closed() {
        return run_until(context_, [&] {
            read();
            return end_.has_value();
        });
    }
    // The next reply, whole.
    Reply reply(bool head_only = false) {
        Reply parsed;
        bool complete = run_until(context_, [&] {
            read();
            return take(parsed, head_only);
        });
        EXPECT_TRUE(complete) << "no whole reply in: " << in_;
        return parsed;
    }
    const std::string& received() const { return in_; }
    bool was_reset() const { return end_ == boost::asio::error::connection_reset; }
    tcp::socket& socket() { return socket_; }
    void read() {
        char piece[65536];
        while (!end_) {
            boost::system::error_code error;
            std::size_t size = socket_.read_some(boost::asio::buffer(piece), error);
            in_.append(piece, size);
            if (error == boost::asio::error::would_block) return;
            if (error) end_ = error;
        }
    }

private:
    bool take(Reply& reply, bool head_only) {
        std::size_t end = in_.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        reply = {};
        reply.status = static_cast<unsigned>(std::stoul(in_.substr(9, 3)));
        for (std::size_t line = in_.find("\r\n") + 2; line < end + 2;) {
            std::size_t stop = in_.find("\r\n", line);
            std::size_t colon = in_.find(": ", line);
            reply.headers.emplace(in_.substr(line, colon - line), in_.substr(colon + 2, stop - colon - 2));
            line = stop + 2;
        }
        std::size_t at = end + 4;
        if (head_only) {
        } else if (reply.header("transfer-encoding") == "chunked") {
            for (;;) {
                std::size_t stop = in_.find("\r\n", at);
                if (stop == std::string::npos) return false;
                std::size_t size = std::stoul(in_.substr(at, stop - at), nullptr, 16);
                at = stop + 2;
                if (at + size + 2 > in_.size()) return false;
                reply.body += in_.substr(at, size);
                at += size + 2;
                if (size == 0) break;
            }
        } else if (!reply.header("content-length").empty()) {
            std::size_t size = std::stoul(reply.header("content-length"));
            if (at + size > in_.size()) return false;
            reply.body = in_.substr(at, size);
            at += size;
        } else {
            if (!end_) return false;
            reply.body = in_.substr(at);
            at = in_.size();
        }
        in_.erase(0, at);
        return true;
    }

    boost::asio::io_context& context_;
    tcp::socket socket_;
    std::string in_;
    std::optional<boost::system::error_code> end_;
};

inline const std::string chat = R"({"model":"tiny","messages":[{"role":"user","content":"hi"}]})";
inline const std::string streamed = R"({"model":"tiny","stream":true,"messages":[{"role":"user","content":"hi"}]})";

inline std::string get(const std::string& target, const std::string& more = "", const std::string& method = "GET") {
    return method + " " + target + " HTTP/1.1\r\nHost: localhost:80\r\n" + more + "\r\n";
}
inline std::string post(const std::string& target, const std::string& body, const std::string& more = "") {
    return "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

// A server with a fake Service behind it. A test changes `options` and calls start().
class ApiTest : public ::testing::Test {
protected:
    void start() {
        server.emplace(context, options, service, state, metrics, random);
        auto bound = server->listen();
        ASSERT_TRUE(bound) << bound.error().message;
        port = bound->port;
    }
    Client client() {
        if (!server) start();
        return Client(context, port);
    }
    Reply ask(const std::string& request) {
        Client one = client();
        one.send(request);
        return one.reply();
    }
    // The newest request that reached the Service.
    FakeService::Asked& asked(std::size_t count = 1) {
        EXPECT_TRUE(run_until(context, [&] { return service.asked.size() >= count; })) << "no request arrived";
        return *service.asked.at(count - 1);
    }
    std::string metrics_text() { return ask(get("/metrics")).body; }

    boost::asio::io_context context;
    ApiOptions options;
    FakeService service;
    FakeState state;
    prometheus::Registry metrics;
    SeededRandom random{1};
    std::optional<ApiServer> server;
    std::uint16_t port = 0;
};

}  // namespace planetserve::adapters::testing_support
