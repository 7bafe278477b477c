#include "verification/schedule.h"

#include "base/requires.h"

namespace planetserve::verification {

std::string_view name_of(Phase phase) {
    switch (phase) {
        case Phase::draw:
            return "draw";
        case Phase::challenge:
            return "challenge";
        case Phase::recheck:
            return "recheck";
        case Phase::commit:
            return "commit";
        case Phase::reveal:
            return "reveal";
        case Phase::idle:
            return "idle";
    }
    return "unknown";
}

std::uint64_t Schedule::epoch(UnixTime time) const {
    if (time <= genesis_) return 0;
    return static_cast<std::uint64_t>((time - genesis_).count() / parameters_.epoch_ms);
}

UnixTime Schedule::begin(std::uint64_t epoch) const {
    return genesis_ + std::chrono::milliseconds(static_cast<std::int64_t>(epoch) * parameters_.epoch_ms);
}

// Milliseconds from the epoch's begin.
std::int64_t Schedule::end_of(Phase phase) const {
    std::int64_t end = parameters_.draw_ms;
    if (phase >= Phase::challenge) end += parameters_.leader_ms * parameters_.leaders;
    if (phase >= Phase::recheck) end += parameters_.recheck_ms;
    if (phase >= Phase::commit) end += parameters_.commit_ms;
    if (phase >= Phase::reveal) end += parameters_.reveal_ms;
    return end;
}

Phase Schedule::phase(std::uint64_t epoch, UnixTime time) const {
    auto since = (time - begin(epoch)).count();
    for (Phase phase : {Phase::draw, Phase::challenge, Phase::recheck, Phase::commit, Phase::reveal})
        if (since < end_of(phase)) return phase;
    return Phase::idle;
}

std::uint32_t Schedule::turn(std::uint64_t epoch, UnixTime time) const {
    REQUIRES(phase(epoch, time) == Phase::challenge);
    return static_cast<std::uint32_t>(((time - begin(epoch)).count() - parameters_.draw_ms) / parameters_.leader_ms);
}

UnixTime Schedule::next_change(std::uint64_t epoch, UnixTime time) const {
    Phase now = phase(epoch, time);
    REQUIRES(now != Phase::idle);
    if (now != Phase::challenge) return begin(epoch) + std::chrono::milliseconds(end_of(now));
    return begin(epoch) +
           std::chrono::milliseconds(parameters_.draw_ms + (turn(epoch, time) + 1) * parameters_.leader_ms);
}

}  // namespace planetserve::verification
