// Requests that an engine ended with, and that it is therefore not given again for a while. Pure; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <span>

#include "base/time.h"
#include "crypto/hash.h"
#include "inference/service.h"

namespace planetserve::adapters {

// How an engine ended, or why it is taken for dead.
enum class EngineEnd : std::uint8_t {
    crashed,  // by itself: a fault of its own, or status other than that of an ordered end
    killed,   // by a signal that others send; or it fell silent
    ordered,  // by this node
};

struct SuspectLimits {
    // How long a request is remembered and refused: a user's client has given up by then.
    Duration remembered_for = 10min;
    // Each is a digest and two numbers, and stands in a queue too. The oldest are forgotten.
    std::size_t maximum = 4096;
};

class Suspects {
public:
    using Digest = crypto::Digest;

    explicit Suspects(SuspectLimits limits = {}) : limits_(limits) {}

    // The same for each time that an asker gives the same body, whatever the node writes into it.
    static Digest digest_of(const inference::Request& request);

    // The engine ended while it had these requests. The only one that it had when it crashed is refused from now on;
    // any other, once it was there at two ends: it may have been a bystander.
    void on_end(std::span<const Digest> had, EngineEnd end, Time now);
    // The engine answered this one: it is innocent. Popular requests are there at many ends.
    void on_answered(const Digest& request) { suspicions_.erase(request); }
    bool refuses(const Digest& request, Time now);

private:
    static constexpr unsigned ends_to_refuse = 2;
    struct Suspicion {
        unsigned ends = 0;
        Time at{};  // of the last end
    };

    void forget_old(Time now);

    SuspectLimits limits_;
    std::map<Digest, Suspicion> suspicions_;
    std::deque<std::pair<Time, Digest>> oldest_first_;
};

}  // namespace planetserve::adapters
