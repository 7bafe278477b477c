// How a program that runs as a child is watched: when it is started, probed, restarted and killed.
//
// Pure: the owner (supervisor.h) tells what happened and when, and does what is returned. Not thread-safe.
//
//     stopped -- run --> starting -- it answers --> catching_up or serving
//     serving -- it misses probes --> unresponsive -- it answers --> serving
//     any of these four -- it ends, or is killed --> waiting -- the backoff is over --> starting
//     any of these five -- stop --> stopping -- it ended --> stopped
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace planetserve::adapters {

struct SupervisionLimits {
    // Between the answer to a probe and the next probe: until the program serves, and from then on.
    Duration probe_starting = 100ms;
    Duration probe_serving = 5s;
    // A probe without an answer for this long has failed. Nothing: each probe is sure to be answered.
    std::optional<Duration> probe_deadline = 5s;
    // A program that answers no probe for this long after its start is killed. Nothing: it has all the time it wants.
    std::optional<Duration> start_deadline = std::nullopt;
    // Failed probes in a row after which a program that did answer is unresponsive, and is killed. They are far apart,
    // since a busy machine may starve a program for some seconds.
    unsigned unresponsive_after = 3;
    unsigned kill_after = 12;
    // Between SIGTERM and SIGKILL.
    Duration stop_grace = 5s;
    // Between an end and the next start. It doubles with each end. A program that ran for longer than the longest one
    // begins with the shortest again. So does one that served and ended by what it was asked, and nothing doubles then.
    Duration shortest_backoff = 500ms;
    Duration longest_backoff = 30s;
};

enum class ProbeAnswer : std::uint8_t {
    failed,
    catching_up,  // it answers, and does not serve yet
    serving,
};

// Why a program ended, as far as its owner can tell.
enum class Fault : std::uint8_t {
    program,  // it cannot go on
    request,  // it was at work for strangers: what they asked may have ended it, and says nothing of the next start
};

class Supervision {
public:
    enum class State : std::uint8_t {
        stopped,
        starting,      // it runs and has not answered yet
        catching_up,   // it answers and does not serve yet
        serving,       // the last probes were answered
        unresponsive,  // it served, and misses probes
        waiting,       // it ended and will be started again
        stopping,      // it was told to end
    };
    // What the owner does next. After `kill` the program is gone for good: no ended() follows.
    enum class Action : std::uint8_t { none, launch, probe, terminate, kill };

    explicit Supervision(SupervisionLimits limits) : limits_(limits), backoff_(limits.shortest_backoff) {}

    // Returns launch. Requires: state() is stopped.
    Action run(Time now);
    // Returns terminate where a program runs.
    Action stop(Time now);
    // The program ended, or could not be started. Requires: one runs, or was to be launched.
    void ended(Time now, Fault fault = Fault::program);
    // The answer to the last probe. Requires: one is under way.
    Action probed(ProbeAnswer answer, Time now);

    // Call it at next_timer(); earlier calls have no effect.
    Action on_timer(Time now);
    Time next_timer() const { return timer_; }  // Time::max(): none

    State state() const { return state_; }
    bool runs() const { return state_ != State::stopped && state_ != State::waiting; }
    bool probing() const { return probing_; }
    std::uint64_t launches() const { return launches_; }

private:
    Action launch(Time now);
    Action probe_failed(Time now);
    Action kill(Time now);
    void wait(Time now, Fault fault);
    void probe_in(Duration pause, Time now);

    SupervisionLimits limits_;
    State state_ = State::stopped;
    Time timer_ = Time::max();  // the next probe, its deadline, the next launch or the end of the grace
    bool probing_ = false;
    Time launched_{};
    Duration backoff_;
    bool served_ = false;    // since it was launched
    unsigned failures_ = 0;  // probes in a row
    std::uint64_t launches_ = 0;
};

}  // namespace planetserve::adapters
