// An engine that somebody else runs, behind a URL, as a Service that knows whether the engine answers.
//
// It is probed: every few seconds that it answers at all (GET /v1/models, which costs nothing), and now and then,
// before it is first used and after it failed, that it gives a token (a completion of one, which an operator may be
// billed for). While requests progress nothing is probed. Requests that it has when it falls silent fail at once.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "adapters/llama/engine_calls.h"
#include "adapters/llama/engine_status.h"
#include "adapters/llama/http_engine.h"
#include "base/lifetime.h"

namespace planetserve::adapters {

struct UpstreamLimits {
    // Between two probes, and how long each may take: an engine that falls silent is found out within 10 s.
    Duration pause = 2s;
    Duration answer_deadline = 3s;
    unsigned failures = 2;  // in a row
    // A token: seldom where nothing is in doubt, since it costs one and may displace what the engine's cache holds.
    Duration token_every = 10min;
    Duration token_deadline = 8s;
    // While the engine is not listed nothing hurries. A token may wait for a model to be loaded, so each deadline is
    // twice the one before, up to this; and so is each pause, since the engine may be somebody else's.
    Duration longest_token_deadline = 60s;
    Duration longest_pause = 30s;
};

class UpstreamEngine final : public inference::Service, private inference::ReplySink {
public:
    using StateHandler = EngineStatusTeller::Handler;

    // The context and the clock outlive it. The handler hears of every change of state, from the io_context; the note
    // is for the operator (EngineCalls::Note).
    UpstreamEngine(boost::asio::io_context& context, const Clock& clock, HttpEngineOptions options, std::string model,
                   StateHandler on_state, EngineCalls::Note note, UpstreamLimits limits = {});
    ~UpstreamEngine() override;

    // Begins to probe.
    void run();
    void stop();

    // Fails with unavailable while the engine does not answer.
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    const EngineStatus& status() const { return status_.status(); }

private:
    enum class Probe : std::uint8_t { answer, token };

    void in(Duration time, void (UpstreamEngine::*then)());
    void probe();
    void late();
    void begin(Probe probe, Duration deadline);
    void on_head(const inference::ReplyHead& head) override { probe_status_ = head.status; }
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override { failed(error.message); }
    void failed(const std::string& why);

    const Clock& clock_;
    UpstreamLimits limits_;
    std::string model_;
    EngineStatusTeller status_;
    EngineCalls::Note note_;
    HttpEngine http_;
    EngineCalls calls_;
    std::unique_ptr<inference::Exchange> call_;  // the probe under way
    Probe probe_ = Probe::token;
    unsigned probe_status_ = 0;
    boost::asio::steady_timer timer_;
    unsigned failures_ = 0;  // in a row
    Time asked_at_{};        // the probe's begin
    Time token_at_{};        // when the engine last gave one
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
