// Which epoch and phase a time is in. Block times decide, so every machine agrees.
#pragma once

#include "base/time.h"
#include "verification/parameters.h"

namespace planetserve::verification {

enum class Phase : std::uint8_t {
    draw,       // verifiers draw who leads
    challenge,  // leaders challenge and report, a turn each
    recheck,    // the second verifier asks those that did not answer
    commit,     // verifiers commit to their scores
    reveal,     // and show them
    idle,       // the epoch is settled
};
std::string_view name_of(Phase phase);

class Schedule {
public:
    // REQUIRES: check(parameters).
    Schedule(UnixTime genesis, const Parameters& parameters) : genesis_(genesis), parameters_(parameters) {}

    // Epochs are numbered from 0; all before the genesis is epoch 0.
    std::uint64_t epoch(UnixTime time) const;
    UnixTime begin(std::uint64_t epoch) const;
    // The phase that an epoch is in at a time; idle after its end, draw before its begin.
    Phase phase(std::uint64_t epoch, UnixTime time) const;
    // Whose turn it is to lead, counted from 0. REQUIRES: the phase is challenge.
    std::uint32_t turn(std::uint64_t epoch, UnixTime time) const;
    // When the next phase of an epoch, or its next turn, begins. REQUIRES: the phase is not idle.
    UnixTime next_change(std::uint64_t epoch, UnixTime time) const;

private:
    std::int64_t end_of(Phase phase) const;

    UnixTime genesis_;
    Parameters parameters_;
};

}  // namespace planetserve::verification
