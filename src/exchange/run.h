// One run of a request on the engine, and the reply kept so that a retry of the same request is answered without
// running it again (docs/protocols/requests.md).
#pragma once

#include <memory>
#include <optional>

#include "exchange/ownership.h"

namespace planetserve::exchange {

// Told by an engine's callback that a run has more to give. An engine knows no time: the owner of the
// ModelSide calls ModelSide::on_run_progress with the time, before it returns.
class RunEvents {
public:
    virtual ~RunEvents() = default;
    // The run may not be destroyed within the call.
    virtual void on_run_progress(const RunId& run) = 0;
};

class Run final : public inference::ReplySink {
public:
    // The events outlive the run.
    Run(const Ask& ask, std::size_t maximum_kept, RunEvents& events)
        : ask_(ask), maximum_kept_(maximum_kept), events_(events) {}

    // The digest of what was asked.
    const crypto::Digest& digest() const { return ask_.digest; }

    // Starts the request on the engine; a refusal becomes the run's error.
    void start(inference::Service& service, inference::Request request);

    const std::optional<inference::ReplyHead>& head() const { return head_; }
    // Body bytes from an offset on, of what is still kept; fewer than `most` when there are no more yet.
    ByteView body(std::uint64_t offset, std::size_t most) const;
    std::uint64_t body_size() const { return trimmed_ + kept_.size(); }
    bool ended() const { return ended_; }
    const std::optional<Error>& error() const { return error_; }
    bool over() const { return ended_ || error_; }
    // True while the whole reply from its beginning is kept, so that another reader may join.
    bool replayable() const { return trimmed_ == 0; }
    // What it costs besides its body, head and error: this object, and its owner's tables.
    static constexpr std::size_t keeping_cost = 1024;
    // All that is kept of it.
    std::size_t kept_bytes() const;

    // All readers are done with the body up to here: the engine may produce more, and what is beyond the maximum to be
    // kept is dropped.
    void consumed_by_all(std::uint64_t bytes);
    // Drops what all readers are done with, so that no other may join. Requires: it is over.
    void drop_consumed();

    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;

private:
    // Drops the body up to there.
    void trim(std::uint64_t bytes);

    Ask ask_;
    std::size_t maximum_kept_;
    RunEvents& events_;
    std::unique_ptr<inference::Exchange> engine_;
    std::optional<inference::ReplyHead> head_;
    Bytes kept_;
    std::uint64_t trimmed_ = 0;
    std::uint64_t told_engine_ = 0;
    std::uint64_t consumed_ = 0;  // by all readers
    bool ended_ = false;
    std::optional<Error> error_;
};

}  // namespace planetserve::exchange
