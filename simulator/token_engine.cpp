#include "simulator/token_engine.h"

#include <algorithm>

#include "inference/bounded_json.h"

namespace planetserve::simulator {

class TokenEngine::Handle final : public inference::Exchange {
public:
    Handle(TokenEngine& engine, std::uint64_t number) : engine_(engine), number_(number) {}
    ~Handle() override { engine_.running_.erase(number_); }
    void consumed(std::size_t) override {}

private:
    TokenEngine& engine_;
    std::uint64_t number_;
};

Result<std::unique_ptr<inference::Exchange>> TokenEngine::start(inference::Request request,
                                                                inference::ReplySink& sink) {
    std::uint64_t number = next_++;
    ++started_;
    bool full = running_.size() >= options_.capacity;
    running_.emplace(number, read(request, sink));
    if (silent_) return std::make_unique<Handle>(*this, number);
    if (failure_) {
        events_.after(options_.first, [this, number] {
            if (auto found = running_.find(number); found != running_.end()) found->second.sink->on_error(*failure_);
            after_progress();
        });
    } else if (full || refusal_) {
        events_.after(0us, [this, number] {
            auto found = running_.find(number);
            if (found == running_.end()) return;
            inference::ReplySink* refused = found->second.sink;
            refused->on_head({refusal_.value_or(503), {{"retry-after", "1"}}});
            refused->on_end();
            after_progress();
        });
    } else {
        events_.after(options_.first, [this, number] { step(number); });
    }
    return std::make_unique<Handle>(*this, number);
}

TokenEngine::Running TokenEngine::read(const inference::Request& request, inference::ReplySink& sink) const {
    Running running{request.body, &sink, options_.tokens, request.path == "/v1/chat/completions"};
    if (!running.chat) return running;
    auto body = inference::parse_json(as_text(request.body), 1 << 20).value_or(nullptr);
    const auto* messages = inference::list_of(inference::find(&body, "messages"));
    if (messages == nullptr || messages->empty()) return running;
    auto content = [](const auto& message) {
        return std::string(inference::text_of(inference::find(&message, "content")).value_or(""));
    };
    running.body = to_bytes(content(messages->front()));
    running.tokens = inference::count_of(inference::find(&body, "max_tokens")).value_or(options_.tokens);
    if (inference::is_true(inference::find(&body, "continue_final_message"))) running.again = content(messages->back());
    // Each piece ends with the only space in it.
    running.produced = static_cast<std::size_t>(std::ranges::count(running.again, ' '));
    running.tokens += running.produced;
    return running;
}

std::string TokenEngine::event(std::uint64_t number, const std::string& text, Event kind) const {
    boost::json::object choice{{"index", 0}, {"delta", boost::json::object()}, {"finish_reason", nullptr}};
    if (!text.empty()) choice["delta"] = boost::json::object{{"content", text}};
    if (kind == Event::last) choice["finish_reason"] = "length";
    boost::json::value all = boost::json::object{{"choices", boost::json::array{choice}},
                                                 {"id", "chatcmpl-" + std::to_string(number)},
                                                 {"created", events_.unix_now().milliseconds / 1000}};
    return "data: " + inference::compact(all) + "\n\n" + (kind == Event::last ? "data: [DONE]\n\n" : "");
}

void TokenEngine::step(std::uint64_t number) {
    auto found = running_.find(number);
    if (found == running_.end() || (still_after_ && found->second.produced >= *still_after_)) return;
    Running& running = found->second;
    inference::ReplySink* sink = running.sink;
    std::size_t place = running.produced++;
    std::string text = token(running.body, place);
    bool last = place + 1 >= running.tokens;
    bool first = std::exchange(running.opened, true) == false;
    if (running.chat)
        text = event(number, (first ? running.again : "") + text, Event::text) +
               (last ? event(number, "", Event::last) : "");
    if (first) sink->on_head({200, {{"content-type", running.chat ? "text/event-stream" : "text/plain"}}});
    sink->on_body(as_bytes(text));
    if (last)
        sink->on_end();
    else
        events_.after(options_.each, [this, number] { step(number); });
    after_progress();
}

}  // namespace planetserve::simulator
