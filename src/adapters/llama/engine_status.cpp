#include "adapters/llama/engine_status.h"

#include <boost/asio/post.hpp>

namespace planetserve::adapters {

std::string_view to_string(EngineState state) {
    switch (state) {
        case EngineState::starting:
            return "starting";
        case EngineState::ready:
            return "ready";
        case EngineState::restarting:
            return "restarting";
        case EngineState::failing:
            return "failing";
        case EngineState::stopped:
            return "stopped";
    }
    return "unknown";
}

void EngineStatusTeller::change(EngineState state, std::string reason) {
    if (status_.state == state && status_.reason == reason) return;
    status_ = {state, std::move(reason), state == status_.state ? status_.since : clock_.now()};
    if (!handler_) return;
    boost::asio::post(context_, [this, owner = lifetime_.watch(), status = status_] {
        if (owner.gone()) return;
        auto handler = handler_;
        handler(status);
    });
}

}  // namespace planetserve::adapters
