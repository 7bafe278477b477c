#include "adapters/llama/engine_calls.h"

#include <algorithm>

#include "base/detaching_handle.h"

namespace planetserve::adapters {

namespace {

// Between the break of a connection and the news of the engine's end.
constexpr Duration news_delay = 2s;
constexpr std::size_t maximum_lost = 1024;

std::string_view words_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::internal:
            return "ended while it had the request";
        case ErrorCode::timed_out:
            return "did not answer in time";
        case ErrorCode::malformed:
            return "gave an answer that is no HTTP";
        default:
            return "cannot be reached";
    }
}

}  // namespace

class EngineCalls::Call final : public inference::ReplySink, public std::enable_shared_from_this<Call> {
public:
    Call(EngineCalls& calls, const Suspects::Digest& digest, inference::ReplySink& sink)
        : calls_(&calls), digest_(digest), sink_(&sink) {}

    const Suspects::Digest& digest() const { return digest_; }
    void began(std::unique_ptr<inference::Exchange> exchange) { exchange_ = std::move(exchange); }
    void consumed(std::size_t bytes) {
        if (exchange_) exchange_->consumed(bytes);
    }
    void detach() {
        auto self = shared_from_this();
        if (sink_ != nullptr && !answered_ && calls_ != nullptr) calls_->unanswered_ = true;
        sink_ = nullptr;
        leave();
    }
    // The calls are gone, and so is the engine.
    void orphan() {
        calls_ = nullptr;
        sink_ = nullptr;
        exchange_.reset();
    }
    void fail_with(const Error& error) {
        auto self = shared_from_this();
        leave();
        if (sink_ != nullptr) std::exchange(sink_, nullptr)->on_error(error);
    }

private:
    void on_head(const inference::ReplyHead& head) override {
        progress();
        if (sink_ != nullptr) sink_->on_head(head);
    }
    void on_body(ByteView bytes) override {
        progress();
        if (sink_ != nullptr) sink_->on_body(bytes);
    }
    void on_end() override {
        auto self = shared_from_this();
        progress();
        calls_->suspects_.on_answered(digest_);
        leave();
        if (sink_ != nullptr) std::exchange(sink_, nullptr)->on_end();
    }
    void on_error(const Error& error) override {
        auto self = shared_from_this();
        calls_->note(error);
        calls_->unanswered_ |= !answered_;
        if (error.code == ErrorCode::internal) calls_->note_lost(digest_);
        fail_with({error.code, "the engine of " + calls_->model_ + " " + std::string(words_of(error.code))});
    }

    void progress() {
        answered_ = true;
        calls_->progressed_at_ = calls_->clock_.now();
    }
    void leave() {
        exchange_.reset();
        if (calls_ != nullptr) std::erase_if(calls_->calls_, [this](const auto& call) { return call.get() == this; });
    }

    EngineCalls* calls_;  // null once they are gone
    Suspects::Digest digest_;
    inference::ReplySink* sink_;  // null once there is nothing more to tell
    std::unique_ptr<inference::Exchange> exchange_;
    bool answered_ = false;
};

class EngineCalls::Handle final : public DetachingHandle<inference::Exchange, Call> {
public:
    using DetachingHandle::DetachingHandle;
    void consumed(std::size_t bytes) override { call().consumed(bytes); }
};

EngineCalls::EngineCalls(inference::Service& engine, std::string model, const Clock& clock, Note note)
    : engine_(engine), model_(std::move(model)), clock_(clock), note_(std::move(note)) {}

EngineCalls::~EngineCalls() {
    for (const auto& call : std::exchange(calls_, {})) call->orphan();
}

Result<std::unique_ptr<inference::Exchange>> EngineCalls::start(inference::Request request,
                                                                inference::ReplySink& sink) {
    const auto digest = Suspects::digest_of(request);
    if (suspects_.refuses(digest, clock_.now()))
        return fail(ErrorCode::invalid_argument, "engine_failed: the engine of " + model_ +
                                                     " ended while it had this very request, which is refused here "
                                                     "for some minutes");
    auto call = std::make_shared<Call>(*this, digest, sink);
    auto exchange = engine_.start(std::move(request), *call);
    if (!exchange) {
        note(exchange.error());
        return std::unexpected(exchange.error());
    }
    call->began(std::move(*exchange));
    calls_.push_back(call);
    return std::make_unique<Handle>(std::move(call));
}

void EngineCalls::release(EngineEnd end) {
    const Time now = clock_.now();
    forget_lost(now);
    std::vector<Suspects::Digest> had;
    for (const Lost& lost : lost_) had.push_back(lost.request);
    for (const auto& call : calls_) had.push_back(call->digest());
    lost_.clear();
    // Retries of one request are one request.
    std::ranges::sort(had);
    had.erase(std::unique(had.begin(), had.end()), had.end());
    suspects_.on_end(had, end, now);
    const Error error = end == EngineEnd::ordered
                            ? Error{ErrorCode::unavailable, "the engine of " + model_ + " is stopping"}
                            : Error{ErrorCode::internal, "the engine of " + model_ + " ended while it had the request"};
    // A sink may end other calls, or begin some.
    for (const auto& call : std::vector(calls_)) call->fail_with(error);
}

bool EngineCalls::at_work() {
    forget_lost(clock_.now());
    return !calls_.empty() || !lost_.empty();
}

void EngineCalls::note_lost(const Suspects::Digest& request) {
    forget_lost(clock_.now());
    if (lost_.size() < maximum_lost) lost_.push_back({request, clock_.now()});
}

void EngineCalls::forget_lost(Time now) {
    std::erase_if(lost_, [&](const Lost& lost) { return now - lost.at > news_delay; });
}

void EngineCalls::note(const Error& error) const {
    if (note_) note_(error.message);
}

}  // namespace planetserve::adapters
