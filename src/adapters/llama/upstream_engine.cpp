#include "adapters/llama/upstream_engine.h"

#include <algorithm>
#include <boost/json.hpp>

#include "inference/small_call.h"

namespace planetserve::adapters {

namespace asio = boost::asio;

namespace {

Duration doubled(Duration first, unsigned times, Duration longest) {
    for (unsigned i = 0; i < times && first < longest; ++i) first *= 2;
    return std::min(first, longest);
}

}  // namespace

UpstreamEngine::UpstreamEngine(asio::io_context& context, const Clock& clock, HttpEngineOptions options,
                               std::string model, StateHandler on_state, EngineCalls::Note note, UpstreamLimits limits)
    : clock_(clock),
      limits_(limits),
      model_(std::move(model)),
      status_(context, clock, std::move(on_state)),
      note_(std::move(note)),
      http_(context, std::move(options)),
      calls_(http_, model_, clock, note_),
      timer_(context) {}

UpstreamEngine::~UpstreamEngine() = default;

void UpstreamEngine::run() {
    if (status_.state() != EngineState::stopped) return;
    status_.change(EngineState::starting, "asking it for a token");
    probe();
}

void UpstreamEngine::stop() {
    timer_.cancel();
    call_.reset();
    calls_.release(EngineEnd::ordered);
    status_.change(EngineState::stopped, "stopped");
}

Result<std::unique_ptr<inference::Exchange>> UpstreamEngine::start(inference::Request request,
                                                                   inference::ReplySink& sink) {
    if (status_.state() != EngineState::ready)
        return fail(ErrorCode::unavailable,
                    "the engine of " + model_ + " is " + std::string(to_string(status_.state())));
    return calls_.start(std::move(request), sink);
}

// There is one timer: for the pause before a probe, or for its deadline.
void UpstreamEngine::in(Duration time, void (UpstreamEngine::*then)()) {
    timer_.expires_after(time);
    timer_.async_wait([this, owner = lifetime_.watch(), then](boost::system::error_code error) {
        // It may have expired and been set again before this ran.
        if (error || owner.gone() || timer_.expiry() > asio::steady_timer::clock_type::now()) return;
        if (status_.state() != EngineState::stopped) (this->*then)();
    });
}

void UpstreamEngine::probe() {
    const Time now = clock_.now();
    // An answer that comes says all.
    if (now - calls_.progressed_at() < limits_.pause) {
        token_at_ = calls_.progressed_at();
        failures_ = 0;
        return in(limits_.pause, &UpstreamEngine::probe);
    }
    if (calls_.take_unanswered()) token_at_ = {};
    const bool token_due = token_at_ == Time{} || now - token_at_ >= limits_.token_every;
    if (status_.state() != EngineState::ready || (calls_.idle() && token_due))
        return begin(Probe::token, doubled(limits_.token_deadline, failures_, limits_.longest_token_deadline));
    begin(Probe::answer, limits_.answer_deadline);
}

void UpstreamEngine::begin(Probe probe, Duration deadline) {
    probe_ = probe;
    asked_at_ = clock_.now();
    auto request = inference::get_of("/v1/models");
    if (probe == Probe::token)
        request = inference::post_of(
            "/v1/chat/completions",
            boost::json::serialize(boost::json::object{
                {"model", model_},
                {"max_tokens", 1},
                {"messages", boost::json::array{boost::json::object{{"role", "user"}, {"content", "."}}}}}));
    auto started = http_.start(std::move(request), *this);
    // So many requests are under way that there is no connection for it.
    if (!started) return in(limits_.pause, &UpstreamEngine::probe);
    call_ = std::move(*started);
    in(deadline, &UpstreamEngine::late);
}

void UpstreamEngine::on_body(ByteView bytes) {
    if (call_) call_->consumed(bytes.size());
}

void UpstreamEngine::on_end() {
    const bool refused = probe_status_ == 401 || probe_status_ == 403;
    if (refused || !is_answer(probe_status_))
        return failed(refused ? "it refuses the key" : "it answered " + std::to_string(probe_status_));
    call_.reset();
    failures_ = 0;
    // Another path or form than it knows is an answer too: it may serve embeddings only.
    if (probe_ == Probe::token) {
        token_at_ = clock_.now();
        status_.change(EngineState::ready, "");
    }
    in(limits_.pause, &UpstreamEngine::probe);
}

void UpstreamEngine::late() {
    if (calls_.progressed_at() <= asked_at_) return failed("it did not answer in time");
    // Requests took its places meanwhile.
    call_.reset();
    probe();
}

void UpstreamEngine::failed(const std::string& why) {
    call_.reset();
    ++failures_;
    if (status_.state() == EngineState::ready && probe_ == Probe::answer && failures_ < limits_.failures)
        return in(limits_.pause / 2, &UpstreamEngine::probe);
    if (note_ && status_.state() != EngineState::failing) note_(why);
    token_at_ = {};
    status_.change(EngineState::failing, "the engine does not answer probes");
    in(doubled(limits_.pause, failures_, limits_.longest_pause), &UpstreamEngine::probe);
    calls_.release(EngineEnd::killed);
}

}  // namespace planetserve::adapters
