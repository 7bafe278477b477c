// `planetserve chat`: a conversation on the terminal over the same API that any program uses.

#include <boost/json.hpp>
#include <csignal>
#include <iostream>

#include "adapters/http/http_client.h"
#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/words.h"
#include "local/diagnosis.h"
#include "local/overview.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

constexpr int exit_interrupted = 130;  // as shells have it: 128 + SIGINT

// Takes the text out of a stream of server-sent events, piece by piece.
class StreamReader {
public:
    explicit StreamReader(std::function<void(const std::string&)> on_text) : on_text_(std::move(on_text)) {}

    void add(std::string_view piece) {
        pending_.append(piece);
        for (std::size_t end; (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1))
            line(pending_.substr(0, end));
    }
    const std::string& error() const { return error_; }
    const std::string& text() const { return text_; }

private:
    void line(const std::string& line) {
        if (!line.starts_with("data: ") || line.starts_with("data: [DONE]")) return;
        boost::system::error_code failed;
        json::value value = json::parse(line.substr(6), failed);
        if (failed || !value.is_object()) return;
        if (const auto* problem = value.as_object().if_contains("error")) {
            error_ = json::serialize(*problem);
            return;
        }
        const auto* choices = value.as_object().if_contains("choices");
        if (choices == nullptr || !choices->is_array() || choices->as_array().empty()) return;
        const auto* delta = choices->as_array()[0].as_object().if_contains("delta");
        const auto* content =
            delta != nullptr && delta->is_object() ? delta->as_object().if_contains("content") : nullptr;
        if (content == nullptr || !content->is_string()) return;
        std::string text(content->as_string());
        text_ += text;
        on_text_(text);
    }

    std::function<void(const std::string&)> on_text_;
    std::string pending_;
    std::string text_;
    std::string error_;
};

struct Session {
    std::string api;
    std::string key;
    std::string model;
    std::optional<int> max_tokens;
    json::array messages;
};

std::string path_line(const json::object* status, const std::string& numbers, const std::string& model_node) {
    std::string text = "answered by model node " + model_node.substr(0, 8) + " over paths " + numbers;
    if (status == nullptr) return text;
    for (const auto& item : status->at("paths").as_array()) {
        const auto& path = item.as_object();
        std::string number = json::serialize(path.at("number"));
        if (("," + numbers + ",").find("," + number + ",") == std::string::npos) continue;
        text += "\n  " + number + ": you";
        for (const auto& relay : path.at("relays").as_array())
            text += " > " + std::string(relay.as_string()).substr(0, 8);
        text += " > " + model_node.substr(0, 8);
    }
    return text;
}

volatile std::sig_atomic_t interrupts = 0;  // Ctrl-C that came while one of these lived

// While it lives, Ctrl-C ends the answer and not the program.
class AnswerInterrupt {
public:
    AnswerInterrupt() {
        interrupts = 0;
        struct sigaction action{};
        action.sa_handler = [](int) { interrupts = interrupts + 1; };
        sigaction(SIGINT, &action, &before_);
    }
    ~AnswerInterrupt() { sigaction(SIGINT, &before_, nullptr); }
    AnswerInterrupt(const AnswerInterrupt&) = delete;
    AnswerInterrupt& operator=(const AnswerInterrupt&) = delete;

    static bool came() { return interrupts > 0; }

private:
    struct sigaction before_{};
};

// What a reply that is no answer says, as a person reads it.
std::string explain(long status, const std::string& body) {
    if (status == adapters::http_unauthorized)
        return "the API wants its key; give it with --api-key, or set OPENAI_API_KEY";
    boost::system::error_code failed;
    const json::value value = json::parse(body, failed);
    boost::system::error_code missing;
    const auto* message = failed ? nullptr : value.find_pointer("/error/message", missing);
    const bool told = message != nullptr && message->is_string();
    return "status " + std::to_string(status) + ": " + (told ? std::string(message->as_string()) : body);
}

enum class Answer : std::uint8_t { whole, interrupted, failed };

// Asks one question and prints the answer as it comes; of a failure it prints the reason.
Answer ask(Session& session, const std::string& prompt, const local::NetworkHome* home) {
    const AnswerInterrupt interrupt;
    session.messages.push_back(json::object{{"role", "user"}, {"content", prompt}});
    json::object body{{"model", session.model}, {"stream", true}, {"messages", session.messages}};
    if (session.max_tokens) body["max_tokens"] = *session.max_tokens;
    StreamReader reader([](const std::string& text) { std::cout << without_controls(text) << std::flush; });
    std::string raw;
    auto reply = adapters::http_call({.url = session.api + "/chat/completions",
                                      .body = json::serialize(body),
                                      .api_key = session.key,
                                      .timeout_seconds = 600,
                                      .on_body =
                                          [&](std::string_view piece) {
                                              if (raw.size() < 4096) raw.append(piece.substr(0, 4096));
                                              reader.add(piece);
                                              return true;
                                          },
                                      .interrupted = AnswerInterrupt::came});
    std::cout << std::endl;
    const bool interrupted = !reply && reply.error().code == ErrorCode::cancelled;
    if (interrupted && !reader.text().empty())
        session.messages.push_back(json::object{{"role", "assistant"}, {"content", reader.text()}});
    else if (interrupted)
        session.messages.pop_back();
    if (interrupted) return Answer::interrupted;
    if (!reply || reply->status != 200 || !reader.error().empty()) {
        error_exit(!reply                    ? reply.error().message
                   : !reader.error().empty() ? reader.error()
                                             : explain(reply->status, raw));
        session.messages.pop_back();
        return Answer::failed;
    }
    session.messages.push_back(json::object{{"role", "assistant"}, {"content", reader.text()}});
    auto all = home == nullptr ? Result<json::object>(fail(ErrorCode::not_found, "")) : local::overview(*home);
    if (reply->headers.contains("x-planetserve-paths"))
        std::cout << dim(path_line(all ? &*all : nullptr, reply->headers["x-planetserve-paths"],
                                   reply->headers["x-planetserve-model-node"]))
                  << "\n";
    return Answer::whole;
}

// The API lists those first that have answered, and that many trusted nodes serve.
Result<std::string> first_model(const Session& session) {
    auto reply = adapters::http_call(
        {.url = session.api + "/models", .body = {}, .api_key = session.key, .timeout_seconds = 10, .on_body = {}});
    if (!reply) return std::unexpected(reply.error());
    if (reply->status != 200)
        return fail(ErrorCode::unavailable, session.api + ": " + explain(reply->status, reply->body));
    boost::system::error_code failed;
    json::value value = json::parse(reply->body, failed);
    const auto* data = !failed && value.is_object() ? value.as_object().if_contains("data") : nullptr;
    if (data == nullptr || !data->is_array() || data->as_array().empty())
        return fail(ErrorCode::not_found, "no model is served at " + session.api + "; run: planetserve doctor");
    return std::string(data->as_array()[0].as_object().at("id").as_string());
}

}  // namespace

int chat(const ChatOptions& options) {
    local::NetworkHome home(std::filesystem::absolute(options.home));
    Session session{options.api, options.api_key, options.model, options.max_tokens, {}};
    bool local = session.api.empty();
    if (local) {
        auto all = local::overview(home);
        if (!all) return error_exit(all.error().message);
        if (all->at("api_node").as_string().empty())
            return error_exit("it does not run; start it with: " + local::start_command(home));
        session.api = std::string(all->at("api").as_string());
        if (session.key.empty()) session.key = local::api_key(home).value_or("");
    }
    if (session.model.empty()) {
        auto model = first_model(session);
        if (!model) return error_exit(model.error().message);
        session.model = *model;
    }
    const local::NetworkHome* known = local ? &home : nullptr;
    if (!options.prompt.empty()) {
        const Answer answer = ask(session, options.prompt, known);
        return answer == Answer::whole ? 0 : answer == Answer::interrupted ? exit_interrupted : 1;
    }
    std::cout << dim("model " + session.model + "; Ctrl-C ends an answer, an empty line or Ctrl-D the chat") << "\n";
    for (std::string line; std::cout << bold("> ") << std::flush && std::getline(std::cin, line) && !line.empty();)
        ask(session, line, known);
    return 0;
}

}  // namespace planetserve::apps
