// The requests that one engine has. When the engine ends or falls silent, each of them fails at once and says so; a
// request that engines end with is refused for a while (suspects.h). Errors name the model and no address: they go to
// users.
//
// Everything happens on one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/llama/suspects.h"
#include "base/time.h"
#include "inference/service.h"

namespace planetserve::adapters {

// Whether an engine answers with this status: of what it cannot do (501) it says so.
constexpr bool is_answer(unsigned status) { return status < 500 || status == 501; }

// Errors that sinks get: internal (the engine ended, or fell silent, while it had the request), unavailable (it cannot
// be reached), timed_out, malformed, exhausted; and from start() invalid_argument for a request that is refused.
class EngineCalls final : public inference::Service {
public:
    // For the operator: what went wrong, in full.
    using Note = std::function<void(const std::string&)>;

    // The engine and the clock outlive this. Calls that are left when this goes hear nothing more.
    EngineCalls(inference::Service& engine, std::string model, const Clock& clock, Note note = {});
    ~EngineCalls() override;

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    // The engine ended, or is taken for dead.
    void release(EngineEnd end);

    bool idle() const { return calls_.empty(); }
    // Whether the engine has a request, or had one a moment ago whose connection broke.
    bool at_work();
    // When the engine last gave a byte of an answer.
    Time progressed_at() const { return progressed_at_; }
    // Whether a call ended without a byte since this was last asked.
    bool take_unanswered() { return std::exchange(unanswered_, false); }

private:
    class Call;
    class Handle;
    struct Lost {
        Suspects::Digest request;
        Time at;
    };

    void note(const Error& error) const;
    void note_lost(const Suspects::Digest& request);
    void forget_lost(Time now);

    inference::Service& engine_;
    std::string model_;
    const Clock& clock_;
    Note note_;
    Suspects suspects_;
    std::vector<std::shared_ptr<Call>> calls_;
    std::vector<Lost> lost_;  // connections that broke just now: the engine's end may be told a little later
    Time progressed_at_{};
    bool unanswered_ = false;
};

}  // namespace planetserve::adapters
