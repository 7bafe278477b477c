#include "exchange/run.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::exchange {

void Run::start(inference::Service& service, inference::Request request) {
    auto started = service.start(std::move(request), *this);
    if (started)
        engine_ = std::move(*started);
    else
        error_ = started.error();
}

ByteView Run::body(std::uint64_t offset, std::size_t most) const {
    if (offset < trimmed_ || offset >= body_size()) return {};
    ByteView rest = ByteView(kept_).subspan(offset - trimmed_);
    return rest.first(std::min(rest.size(), most));
}

void Run::consumed_by_all(std::uint64_t bytes) {
    consumed_ = bytes;
    if (engine_ && !over() && bytes > told_engine_) {
        std::size_t more = bytes - told_engine_;
        told_engine_ = bytes;
        engine_->consumed(more);
    }
    if (kept_.size() > maximum_kept_) trim(bytes);
}

void Run::drop_consumed() {
    REQUIRES(over());
    trim(consumed_);
    kept_.shrink_to_fit();
}

void Run::trim(std::uint64_t bytes) {
    if (bytes <= trimmed_) return;
    std::size_t surplus = std::min<std::uint64_t>(bytes - trimmed_, kept_.size());
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(surplus));
    trimmed_ += surplus;
}

std::size_t Run::kept_bytes() const {
    std::size_t bytes = keeping_cost + kept_.size() + (error_ ? error_->message.size() : 0);
    if (head_)
        for (const auto& [name, value] : head_->headers) bytes += 2 * sizeof(std::string) + name.size() + value.size();
    return bytes;
}

void Run::on_head(const inference::ReplyHead& head) {
    head_ = head;
    events_.on_run_progress(ask_.run);
}

void Run::on_body(ByteView bytes) {
    append(kept_, bytes);
    events_.on_run_progress(ask_.run);
}

void Run::on_end() {
    ended_ = true;
    kept_.shrink_to_fit();
    engine_.reset();
    events_.on_run_progress(ask_.run);
}

void Run::on_error(const Error& error) {
    error_ = error;
    engine_.reset();
    events_.on_run_progress(ask_.run);
}

}  // namespace planetserve::exchange
