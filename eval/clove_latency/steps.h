// Where the time of an exchange goes: the classes it is made of, one after another on the same bytes, each timed.
#pragma once

#include <array>
#include <string_view>

#include "base/random.h"

namespace planetserve::eval {

enum class Step : std::uint8_t {
    keys,      // X25519: at the user a fresh key and an agreement, at the model node an agreement
    items,     // a message to records and back, with their copies
    cipher,    // AES-256-GCM of the records
    disperse,  // the rest of split and of collecting: key shares, information dispersal, checks, copies
    envelope,  // the header of each clove
};
inline constexpr std::array<std::string_view, 5> step_names{"keys", "items", "cipher", "disperse", "envelope"};
using StepTimes = std::array<double, step_names.size()>;  // microseconds of this thread's processor

struct MessageSteps {
    StepTimes prepare{};
    StepTimes open{};
};

// A body in one direction: a request's from user to model node, with keys made at both; or an answer's, for which the
// keys are there.
MessageSteps time_steps(ByteView body, bool request, Random& random);

}  // namespace planetserve::eval
