// A network of the nodes' own code in virtual time, in which a few users ask at once, round after round, while
// everything that nodes see is recorded.
#pragma once

#include <memory>

#include "base/result.h"
#include "eval/adversary/recording.h"
#include "onion/entry_relays.h"

namespace planetserve::eval {

struct NetworkShape {
    std::uint64_t nodes = 10'000;  // N, users among them
    std::uint32_t users = 5;       // who ask; the first is the one looked at
    std::uint32_t models = 4;
    std::uint32_t entries = static_cast<std::uint32_t>(onion::EntryRelayOptions{}.count);  // of each user
    // False: the user draws new entry relays before each round, as if there were no set to be kept.
    bool stable_entries = true;
};

// Requests of one round begin within two seconds; rounds are as far apart as a path lives, so that each finds all
// paths rebuilt.
class UserRounds {
public:
    UserRounds(const NetworkShape& shape, std::uint64_t seed);
    ~UserRounds();

    struct Round {
        RoundSeen seen;
        std::size_t target = 0;  // the place in seen.requests of the first user's
    };
    // Fails when the first user's request is not answered.
    Result<Round> next();

    NodeId target() const;
    const Recorder& recorder() const;
    std::uint64_t frames() const;

private:
    struct Nodes;
    std::unique_ptr<Nodes> nodes_;
};

}  // namespace planetserve::eval
