#include "simulator/token_engine.h"

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
    running_.emplace(number, Running{std::move(request.body), &sink, 0});
    if (full) {
        events_.after(0us, [this, number] {
            auto found = running_.find(number);
            if (found == running_.end()) return;
            inference::ReplySink* refused = found->second.sink;
            refused->on_head({503, {{"retry-after", "1"}}});
            refused->on_end();
            after_progress();
        });
    } else {
        events_.after(options_.first, [this, number] { step(number); });
    }
    return std::make_unique<Handle>(*this, number);
}

void TokenEngine::step(std::uint64_t number) {
    auto found = running_.find(number);
    if (found == running_.end()) return;
    Running& running = found->second;
    inference::ReplySink* sink = running.sink;
    std::size_t place = running.produced++;
    std::string text = token(running.body, place);
    if (place == 0) sink->on_head({200, {{"content-type", "text/plain"}}});
    sink->on_body(as_bytes(text));
    if (place + 1 < options_.tokens)
        events_.after(options_.each, [this, number] { step(number); });
    else
        sink->on_end();
    after_progress();
}

}  // namespace planetserve::simulator
