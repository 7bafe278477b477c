#include "roles/alarm.h"

namespace planetserve::roles {

Alarm::Alarm(boost::asio::io_context& context, std::function<Time()> next, std::function<void()> due)
    : next_(std::move(next)), due_(std::move(due)), timer_(context) {}

void Alarm::look() {
    const Time next = next_();
    if (next >= armed_ || next == Time::max()) return;
    armed_ = next;
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())));
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;  // armed again, for an earlier time
        armed_ = Time::max();
        due_();
    });
}

}  // namespace planetserve::roles
