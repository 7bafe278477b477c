#include "raw_user.h"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/json.hpp>
#include <iostream>

namespace planetserve::lab {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_line = 64 << 20;

std::string text_of(const json::object& object, const char* name, const char* usual) {
    const auto* value = object.if_contains(name);
    return value != nullptr ? std::string(value->as_string()) : usual;
}

}  // namespace

struct RawUser::Asked final : inference::ReplySink {
    Asked(RawUser& of, std::uint64_t number) : user(of), told{{"number", number}} {}

    void on_head(const inference::ReplyHead& head) override { told["status"] = head.status; }
    void on_body(ByteView bytes) override {
        body += as_text(bytes);
        exchange->consumed(bytes.size());
    }
    void on_end() override {
        told["body"] = body;
        user.finish(*this);
    }
    void on_error(const Error& error) override {
        told["error"] = error.message;
        user.finish(*this);
    }

    RawUser& user;
    json::object told;
    std::string body;
    std::unique_ptr<inference::Exchange> exchange;
};

RawUser::RawUser(roles::Runtime& runtime, roles::UserRole& role)
    : runtime_(runtime), role_(role), input_(runtime.context(), ::dup(STDIN_FILENO)), buffer_(longest_line) {
    read();
}

RawUser::~RawUser() = default;

void RawUser::read() {
    boost::asio::async_read_until(input_, buffer_, '\n', [this](boost::system::error_code error, std::size_t) {
        if (error) return;
        std::istream lines(&buffer_);
        std::string line;
        std::getline(lines, line);
        ask(line);
        read();
    });
}

void RawUser::ask(const std::string& line) {
    const json::object what = json::parse(line).as_object();
    inference::Request request;
    request.id = runtime_.random().id<IdempotencyId>();
    request.method = text_of(what, "method", "POST");
    request.path = text_of(what, "path", "/v1/chat/completions");
    request.content_type = "application/json";
    request.model = text_of(what, "model", "");
    request.body = to_bytes(text_of(what, "body", ""));
    Asked& asked = asked_.emplace_back(*this, next_number_++);
    runtime_.rearm();
    auto started = role_.node().requests().start(std::move(request), asked);
    if (!started) return asked.on_error(started.error());
    asked.exchange = std::move(*started);
}

void RawUser::finish(Asked& asked) {
    std::cout << json::serialize(asked.told) << std::endl;
    // The exchange called, so it is not destroyed within that.
    boost::asio::post(runtime_.context(),
                      [this, &asked] { asked_.remove_if([&](const Asked& one) { return &one == &asked; }); });
}

}  // namespace planetserve::lab
