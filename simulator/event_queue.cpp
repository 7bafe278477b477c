#include "simulator/event_queue.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::simulator {

namespace {

constexpr std::size_t cache_line = 64;
// Events ahead of the one that runs: far enough for the memory to arrive, near enough that it is not evicted again.
constexpr std::size_t event_ahead = 6;
constexpr std::size_t memory_ahead = 2;

}  // namespace

void EventQueue::at(Time time, std::function<void()> run, Memory first, Memory second) {
    Slot slot = 0;
    if (free_.empty()) {
        slot = static_cast<Slot>(events_.size());
        events_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    events_[slot] = {std::move(run), {first, second}};
    place({std::max(time, now_), next_++, slot});
}

void EventQueue::place(const Entry& entry) {
    const Bucket number = bucket_of(entry.time);
    if (number <= current_) {
        late_.push(entry);
    } else if (number - current_ < static_cast<Bucket>(bucket_count)) {
        bucket(number).push_back(entry);
        ++in_buckets_;
    } else {
        far_.push(entry);
    }
}

bool EventQueue::due(Time time) {
    while (done_ == sorted_.size() && late_.empty())
        if (!advance(time)) return false;
    if (done_ < sorted_.size() && sorted_[done_].time <= time) return true;
    return !late_.empty() && late_.top().time <= time;
}

bool EventQueue::advance(Time time) {
    if (in_buckets_ == 0 && far_.empty()) return false;
    const Bucket next = in_buckets_ > 0 ? current_ + 1 : bucket_of(far_.top().time);
    if (next > bucket_of(time)) return false;
    current_ = next;
    sorted_.clear();
    done_ = 0;
    sorted_.swap(bucket(current_));
    in_buckets_ -= sorted_.size();
    for (; !far_.empty() && bucket_of(far_.top().time) - current_ < static_cast<Bucket>(bucket_count); far_.pop()) {
        if (bucket_of(far_.top().time) == current_)
            sorted_.push_back(far_.top());
        else
            place(far_.top());
    }
    std::ranges::sort(sorted_, std::less{});
    return true;
}

void EventQueue::step() {
    REQUIRES(done_ < sorted_.size() || !late_.empty());
    const bool from_sorted = late_.empty() || (done_ < sorted_.size() && sorted_[done_] < late_.top());
    const Entry entry = from_sorted ? sorted_[done_] : late_.top();
    if (from_sorted) {
        ++done_;
        fetch_ahead();
    } else {
        late_.pop();
    }
    now_ = entry.time;
    ++run_;
    // Taken out, since what it schedules may move all events.
    std::function<void()> run = std::move(events_[entry.slot].run);
    free_.push_back(entry.slot);
    run();
}

void EventQueue::fetch_ahead() const {
    if (std::size_t place = done_ + event_ahead; place < sorted_.size())
        __builtin_prefetch(&events_[sorted_[place].slot]);
    if (std::size_t place = done_ + memory_ahead; place < sorted_.size())
        for (const Memory& memory : events_[sorted_[place].slot].memory)
            for (std::size_t at = 0; at < memory.size(); at += cache_line) __builtin_prefetch(memory.data() + at);
}

}  // namespace planetserve::simulator
