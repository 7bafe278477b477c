#include "inference/admission.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::inference {

namespace {

constexpr std::chrono::seconds shortest_retry{1};
constexpr std::chrono::seconds longest_retry{120};

}  // namespace

Admission::Admission(AdmissionLimits limits) : limits_(limits) { REQUIRES(limits_.capacity > 0); }

Admission::Answer Admission::ask(Time now) {
    // Requests that wait come first, even when a place has just become free.
    if (queue_.empty() && running_.size() < limits_.capacity) {
        running_.emplace(++last_, now);
        return {Decision::start, last_};
    }
    if (queue_.size() >= limits_.queue) return {Decision::refuse, 0};
    queue_.push_back({++last_, now});
    return {Decision::wait, last_};
}

void Admission::finished(Ticket ticket, Time now) {
    auto found = running_.find(ticket);
    if (found == running_.end()) return;
    Duration served = std::max(now - found->second, Duration::zero());
    average_ = average_ ? (*average_ * 7 + served) / 8 : served;
    running_.erase(found);
}

void Admission::abandoned(Ticket ticket) {
    if (running_.erase(ticket) == 0) std::erase_if(queue_, [&](const Waiting& one) { return one.ticket == ticket; });
}

std::optional<Admission::Ticket> Admission::next(Time now) {
    if (queue_.empty() || running_.size() >= limits_.capacity) return std::nullopt;
    Ticket ticket = queue_.front().ticket;
    queue_.pop_front();
    running_.emplace(ticket, now);
    return ticket;
}

std::vector<Admission::Ticket> Admission::expired(Time now) {
    std::vector<Ticket> gone;
    while (!queue_.empty() && now - queue_.front().since >= limits_.longest_wait) {
        gone.push_back(queue_.front().ticket);
        queue_.pop_front();
    }
    return gone;
}

std::chrono::seconds Admission::retry_after() const {
    Duration each = average_.value_or(limits_.first_estimate);
    Duration all = each * static_cast<std::int64_t>(queue_.size() + 1) / static_cast<std::int64_t>(limits_.capacity);
    return std::clamp(std::chrono::ceil<std::chrono::seconds>(all), shortest_retry, longest_retry);
}

}  // namespace planetserve::inference
