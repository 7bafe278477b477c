#include "adapters/process/supervision.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::adapters {

Supervision::Action Supervision::run(Time now) {
    REQUIRES(state_ == State::stopped);
    return launch(now);
}

Supervision::Action Supervision::launch(Time now) {
    state_ = State::starting;
    launched_ = now;
    failures_ = 0;
    served_ = false;
    ++launches_;
    probe_in(limits_.probe_starting, now);
    return Action::launch;
}

Supervision::Action Supervision::stop(Time now) {
    probing_ = false;
    if (!runs()) {
        state_ = State::stopped;
        timer_ = Time::max();
        return Action::none;
    }
    if (state_ == State::stopping) return Action::none;
    state_ = State::stopping;
    timer_ = now + limits_.stop_grace;
    return Action::terminate;
}

void Supervision::ended(Time now, Fault fault) {
    REQUIRES(runs());
    if (state_ != State::stopping) return wait(now, fault);
    state_ = State::stopped;
    timer_ = Time::max();
}

// A program that ran for a while, or served until a request ended it, shows that starting it is not in vain.
void Supervision::wait(Time now, Fault fault) {
    const bool blameless = served_ && fault == Fault::request;
    if (blameless || now - launched_ > limits_.longest_backoff) backoff_ = limits_.shortest_backoff;
    state_ = State::waiting;
    probing_ = false;
    timer_ = now + backoff_;
    if (!blameless) backoff_ = std::min(backoff_ * 2, limits_.longest_backoff);
}

Supervision::Action Supervision::probed(ProbeAnswer answer, Time now) {
    REQUIRES(probing_);
    probing_ = false;
    if (answer == ProbeAnswer::failed) return probe_failed(now);
    failures_ = 0;
    state_ = answer == ProbeAnswer::serving ? State::serving : State::catching_up;
    served_ |= answer == ProbeAnswer::serving;
    probe_in(state_ == State::serving ? limits_.probe_serving : limits_.probe_starting, now);
    return Action::none;
}

Supervision::Action Supervision::probe_failed(Time now) {
    if (state_ == State::starting) {
        if (limits_.start_deadline && now - launched_ > *limits_.start_deadline) return kill(now);
        probe_in(limits_.probe_starting, now);
        return Action::none;
    }
    if (++failures_ >= limits_.kill_after) return kill(now);
    if (failures_ >= limits_.unresponsive_after) state_ = State::unresponsive;
    probe_in(limits_.probe_serving, now);
    return Action::none;
}

Supervision::Action Supervision::kill(Time now) {
    wait(now, Fault::program);
    return Action::kill;
}

void Supervision::probe_in(Duration pause, Time now) {
    probing_ = false;
    timer_ = now + pause;
}

Supervision::Action Supervision::on_timer(Time now) {
    if (now < timer_) return Action::none;
    switch (state_) {
        case State::stopped:
            return Action::none;
        case State::waiting:
            return launch(now);
        case State::stopping:
            state_ = State::stopped;
            timer_ = Time::max();
            return Action::kill;
        case State::starting:
        case State::catching_up:
        case State::serving:
        case State::unresponsive:
            if (probing_) return probed(ProbeAnswer::failed, now);
            probing_ = true;
            timer_ = limits_.probe_deadline ? now + *limits_.probe_deadline : Time::max();
            return Action::probe;
    }
    return Action::none;
}

}  // namespace planetserve::adapters
