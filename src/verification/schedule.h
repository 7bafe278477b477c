// The epoch and phase of a time. Block times decide, so every machine agrees.
#pragma once

#include "base/time.h"
#include "verification/parameters.h"

namespace planetserve::verification {

enum class Phase : std::uint8_t {
    draw,       // verifiers draw who leads
    challenge,  // leaders challenge and report, a turn each
    recheck,    // the second verifier challenges nodes that gave the leader no answer
    commit,     // verifiers commit to their scores
    reveal,     // verifiers show them
    idle,       // the epoch is settled
};
std::string_view name_of(Phase phase);

class Schedule {
public:
    // Requires: check(parameters).
    Schedule(UnixTime genesis, const Parameters& parameters) : genesis_(genesis), parameters_(parameters) {}

    // Epochs are numbered from 0. Times before the genesis are in epoch 0.
    std::uint64_t epoch(UnixTime time) const;
    UnixTime begin(std::uint64_t epoch) const;
    // The phase of an epoch at a time: draw before its begin, idle after its end.
    Phase phase(std::uint64_t epoch, UnixTime time) const;
    // The leader's turn, counted from 0.
    // Requires: the phase is challenge.
    std::uint32_t turn(std::uint64_t epoch, UnixTime time) const;
    // When the next phase or turn of an epoch begins.
    // Requires: the phase is not idle.
    UnixTime next_change(std::uint64_t epoch, UnixTime time) const;

private:
    std::int64_t end_of(Phase phase) const;

    UnixTime genesis_;
    Parameters parameters_;
};

}  // namespace planetserve::verification
