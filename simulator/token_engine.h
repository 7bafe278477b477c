// An engine in virtual time: answers with `tokens` pieces of text at a fixed rate, each a function of the request's
// body and its place, so that the same request gets the same answer on every node.
//
// Asked for /v1/chat/completions, it streams the events of that API: `max_tokens` pieces, or `tokens`, each a function
// of the first message and its place. Asked to continue a final message, it repeats that and continues it,
// as llama-server does.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "inference/service.h"
#include "simulator/event_queue.h"

namespace planetserve::simulator {

struct TokenEngineOptions {
    std::size_t tokens = 40;
    Duration first = 100ms;
    Duration each = 20ms;
    std::size_t capacity = 4;
};

class TokenEngine final : public inference::Service {
public:
    TokenEngine(EventQueue& events, TokenEngineOptions options) : events_(events), options_(options) {}

    static std::string token(ByteView body, std::size_t place) {
        std::uint64_t hash = 1469598103934665603ULL + place;
        for (std::uint8_t byte : body) hash = (hash ^ byte) * 1099511628211ULL;
        return "token-" + std::to_string(hash % 100000) + " ";
    }
    // To a chat, `body` is its first message.
    static std::string answer(ByteView body, std::size_t tokens) {
        std::string text;
        for (std::size_t i = 0; i < tokens; ++i) text += token(body, i);
        return text;
    }

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    std::size_t started() const { return started_; }
    std::size_t running() const { return running_.size(); }
    // From now on it answers nothing but this status.
    void refuse_with(unsigned status) { refusal_ = status; }
    // From now on it takes requests and never answers, or ends while it has them.
    void fall_silent() { silent_ = true; }
    // From now on its answers stand still after so many pieces.
    void stand_still_after(std::size_t pieces) { still_after_ = pieces; }
    void fail_with(const Error& error) { failure_ = error; }
    // Called as frames might now be sent; the simulator re-arms timers in it.
    std::function<void()> after_progress = [] {};

private:
    class Handle;
    struct Running {
        Bytes body;
        inference::ReplySink* sink;
        std::size_t tokens = 0;
        bool chat = false;
        std::string again{};  // the message that it continues
        std::size_t produced = 0;
        bool opened = false;
    };

    Running read(const inference::Request& request, inference::ReplySink& sink) const;
    void step(std::uint64_t number);
    // The last event of a stream has the finish reason.
    enum class Event { text, last };
    std::string event(std::uint64_t number, const std::string& text, Event kind) const;

    EventQueue& events_;
    TokenEngineOptions options_;
    std::optional<unsigned> refusal_;
    std::optional<Error> failure_;
    bool silent_ = false;
    std::optional<std::size_t> still_after_;
    std::map<std::uint64_t, Running> running_;
    std::uint64_t next_ = 1;
    std::size_t started_ = 0;
};

}  // namespace planetserve::simulator
