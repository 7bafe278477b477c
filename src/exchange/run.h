// One run of a request on the engine, and the reply kept so that a retry of the same request is answered without
// running it again (docs/protocols/requests.md).
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/time.h"
#include "exchange/messages.h"

namespace planetserve::exchange {

// Told that a run has more to give; the run may not be destroyed within the call.
class RunEvents {
public:
    virtual ~RunEvents() = default;
    virtual void on_run_progress(const IdempotencyId& run) = 0;
};

class Run final : public inference::ReplySink {
public:
    Run(const IdempotencyId& id, std::size_t maximum_kept, RunEvents& events)
        : id_(id), maximum_kept_(maximum_kept), events_(events) {}

    // Starts the request on the engine; a refusal becomes the run's error.
    void start(inference::Service& service, inference::Request request);

    const std::optional<inference::ReplyHead>& head() const { return head_; }
    // Body bytes from an offset on, of what is still kept; fewer than asked for when there are no more yet.
    ByteView body(std::uint64_t offset, std::size_t most) const;
    std::uint64_t body_size() const { return trimmed_ + kept_.size(); }
    bool ended() const { return ended_; }
    const std::optional<Error>& error() const { return error_; }
    bool over() const { return ended_ || error_; }
    // True while the whole reply from its beginning is kept, so that another asker may join.
    bool replayable() const { return trimmed_ == 0; }
    std::size_t kept_bytes() const { return kept_.size(); }

    // All askers are done with the body up to here: lets the engine go on, and trims what is more than may be kept.
    void progress(std::uint64_t consumed_by_all);

    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;

private:
    IdempotencyId id_;
    std::size_t maximum_kept_;
    RunEvents& events_;
    std::unique_ptr<inference::Exchange> engine_;
    std::optional<inference::ReplyHead> head_;
    Bytes kept_;
    std::uint64_t trimmed_ = 0;
    std::uint64_t told_engine_ = 0;
    bool ended_ = false;
    std::optional<Error> error_;
};

}  // namespace planetserve::exchange
