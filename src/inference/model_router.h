// The engines of one model node behind one Service: a request goes to the engine of its model when there is a place.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/time.h"
#include "inference/admission.h"
#include "inference/service.h"

namespace planetserve::inference {

struct LoadStats {
    std::size_t running = 0;
    std::size_t queued = 0;
    std::optional<Duration> average_service;  // empty before the first reply; over all engines weighted by replies
    std::uint64_t served = 0;                 // replies that came to their end
    std::uint64_t refused = 0;                // because there was no place
};

struct RouterStats {
    std::vector<std::pair<std::string, LoadStats>> models;  // as they were added
    LoadStats all;
};

// One thread, as for every Service. When all places and the queue are taken, a request is accepted and answered with
// status 503, Retry-After and an error in OpenAI's form. So is a request that waited too long. The user's client sees
// what a busy server would say.
class ModelRouter final : public Service {
public:
    ModelRouter(Defer defer, const Clock& clock);
    // Calls that wait hear nothing more. Calls that began go on until their engine ends them; an engine outlives its
    // calls.
    ~ModelRouter() override;

    // The engine outlives the router. Throws std::invalid_argument for a name there is already.
    void add(std::string model, Service& engine, AdmissionLimits limits);

    // not_found names the models there are; else what the engine says.
    Result<std::unique_ptr<Exchange>> start(Request request, ReplySink& sink) override;

    // Refuses calls that waited too long. Call it about once a second.
    void on_timer();

    RouterStats stats() const;
    std::vector<std::string> models() const;

private:
    struct Engine;
    class Call;
    class Handle;

    Engine* find(std::string_view model);
    // Lets calls that wait start, later: never inside one of them or of a sink.
    void pump_later(Engine& engine);
    void pump(Engine& engine);

    Defer defer_;
    const Clock& clock_;
    std::vector<std::unique_ptr<Engine>> engines_;
    Lifetime lifetime_;
};

}  // namespace planetserve::inference
