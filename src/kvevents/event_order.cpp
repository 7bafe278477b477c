#include "kvevents/event_order.h"

namespace planetserve::kvevents {

void EventOrder::on_connected(Time now) {
    if (!connected_) begin(now);
}

void EventOrder::on_disconnected() {
    if (!connected_) return;
    connected_ = false;
    forget();
    owner_.start_over(Knowledge::partial);
}

void EventOrder::forget() {
    replaying_ = false;
    held_.clear();
    held_bytes_ = 0;
    next_.reset();
    newest_.reset();
}

// Begins a new life: since the last batch the engine may have restarted.
void EventOrder::begin(Time now) {
    connected_ = true;
    forget();
    tries_ = 0;
    if (replay_ == Replay::available) ask(0, now);
}

void EventOrder::ask(std::uint64_t from, Time now) {
    replaying_ = true;
    progressed_ = hole_ = false;
    deadline_ = now + replay_deadline_;
    ++tries_;
    ++counters_.replays;
    owner_.ask_replay(from);
}

void EventOrder::on_batch(std::uint64_t number, ByteView batch, Time now) {
    // A socket may report its connection later than it delivers messages.
    if (!connected_) begin(now);
    if (newest_ && number <= *newest_) begin(now);
    newest_ = number;
    if (replaying_ || !take(number, batch, now)) hold(number, batch, now);
}

void EventOrder::hold(std::uint64_t number, ByteView batch, Time now) {
    if (held_.size() >= held_limit || held_bytes_ + batch.size() > held_bytes_limit) give_up(now);
    if (!replaying_) {
        (void)take(number, batch, now);
        return;
    }
    held_.push_back({number, to_bytes(batch)});
    held_bytes_ += batch.size();
}

bool EventOrder::take(std::uint64_t number, ByteView batch, Time now) {
    if (!next_) begin_with(number);
    if (number < *next_) return true;  // the replay had it
    if (number > *next_) {
        if (tries_ == 0) ++counters_.gaps;
        if (replay_ == Replay::available && tries_ < replay_tries) {
            ask(*next_, now);
            return false;
        }
        lose(number);
    }
    deliver(number, batch);
    return true;
}

void EventOrder::begin_with(std::uint64_t number) {
    owner_.start_over(number == 0 ? Knowledge::complete : Knowledge::partial);
    next_ = number;
}

void EventOrder::lose(std::uint64_t next) {
    ++counters_.losses;
    owner_.start_over(Knowledge::partial);
    next_ = next;
}

void EventOrder::deliver(std::uint64_t number, ByteView batch) {
    next_ = number + 1;
    tries_ = 0;
    if (owner_.deliver(batch)) {
        ++counters_.delivered;
        return;
    }
    ++counters_.unreadable;
    owner_.start_over(Knowledge::partial);
}

void EventOrder::on_replayed(std::uint64_t number, ByteView batch, Time now) {
    if (!replaying_) return;
    deadline_ = now + replay_pause;
    if (!next_) begin_with(number);
    // A replay begins with the oldest batch that the engine keeps. A gap after that batch means that a batch was
    // dropped on the way: on_replay_end asks for it again.
    hole_ = hole_ || (number > *next_ && progressed_);
    if (hole_ || number < *next_) return;
    if (number > *next_) lose(number);
    deliver(number, batch);
    progressed_ = true;
}

void EventOrder::on_replay_end(Time now) {
    if (!replaying_) return;
    if (hole_) return ask(*next_, now);
    replaying_ = false;
    if (!next_) begin_with(0);  // the engine has published nothing in this life
    drain(now);
}

void EventOrder::drain(Time now) {
    while (!held_.empty() && !replaying_) {
        Held first = std::move(held_.front());
        held_.pop_front();
        held_bytes_ -= first.batch.size();
        if (take(first.number, first.batch, now)) continue;
        held_bytes_ += first.batch.size();
        held_.push_front(std::move(first));
    }
}

void EventOrder::on_timer(Time now) {
    if (!replaying_ || now < deadline_) return;
    if (progressed_ || tries_ < replay_tries)
        ask(next_.value_or(0), now);
    else
        give_up(now);
}

void EventOrder::give_up(Time now) {
    replaying_ = false;
    tries_ = replay_tries;
    if (!next_) {
        ++counters_.losses;
        owner_.start_over(Knowledge::partial);
        if (!held_.empty()) next_ = held_.front().number;
    }
    drain(now);
}

}  // namespace planetserve::kvevents
