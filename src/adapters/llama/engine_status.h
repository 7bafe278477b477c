// What an engine is doing, and how its owner hears of it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/lifetime.h"
#include "base/time.h"

namespace planetserve::adapters {

enum class EngineState : std::uint8_t {
    starting,
    ready,
    restarting,  // it served, ended with a request, and starts again at once
    failing,
    stopped,
};
std::string_view to_string(EngineState state);

struct EngineStatus {
    EngineState state = EngineState::stopped;
    std::string reason;  // in words, without paths; empty when ready
    Time since{};        // the begin of the state
};

// Keeps the status of one engine and tells of each change. Everything happens on the io_context's thread.
class EngineStatusTeller {
public:
    using Handler = std::function<void(const EngineStatus&)>;

    // The context and the clock outlive it. The handler is called from the io_context, with nothing of the engine on
    // the stack, so it may destroy the engine; not once this is gone.
    EngineStatusTeller(boost::asio::io_context& context, const Clock& clock, Handler handler)
        : context_(context), clock_(clock), handler_(std::move(handler)) {}

    const EngineStatus& status() const { return status_; }
    EngineState state() const { return status_.state; }
    void change(EngineState state, std::string reason);

private:
    boost::asio::io_context& context_;
    const Clock& clock_;
    Handler handler_;
    EngineStatus status_{EngineState::stopped, "not started", {}};
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
