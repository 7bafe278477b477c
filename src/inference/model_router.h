// The engines of one model node behind one Service: a request goes to the engine of its model when there is a place.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "inference/admission.h"
#include "inference/service.h"

namespace planetserve::inference {

struct LoadStats {
    std::size_t running = 0;
    std::size_t queued = 0;
    std::optional<Duration> average_service;  // nothing before the first reply; in all: weighted by replies
    std::uint64_t served = 0;                 // replies that came to their end
    std::uint64_t refused = 0;                // for want of a place
};

struct RouterStats {
    std::vector<std::pair<std::string, LoadStats>> models;  // as they were added
    LoadStats all;
};

// One thread, as for every Service. When all places and the queue are taken, a request is accepted and answered with
// status 503, Retry-After and an error in OpenAI's form, as is one that waited for too long; so the asker's client sees
// what it would see from a busy server.
class ModelRouter final : public Service {
public:
    // Runs a function soon, on the same thread, not before it returned: asio::post, or the simulator's.
    using Defer = std::function<void(std::function<void()>)>;

    ModelRouter(Defer defer, const Clock& clock);
    ~ModelRouter() override;  // those that wait then hear nothing more; no engine may end before an exchange of it

    // The engine outlives the router. Throws std::invalid_argument for a name there is already.
    void add(std::string model, Service& engine, AdmissionLimits limits);

    // not_found names the models there are; else what the engine says.
    Result<std::unique_ptr<Exchange>> start(Request request, ReplySink& sink) override;

    // Turns away those who waited too long. To be called about once a second.
    void on_timer();

    RouterStats stats() const;
    std::vector<std::string> models() const;

private:
    std::shared_ptr<class RouterState> state_;
};

}  // namespace planetserve::inference
