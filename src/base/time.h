// Time as a parameter. Protocol code never reads the machine's clocks: each event brings the time, as Now or as Time.
//
// inference::Service and its ReplySink carry no time. So the classes between them and the protocols (node/, and
// inference/model_router.h) hold the Clock that their owner gave them: virtual in the simulator and in tests.
#pragma once

#include <chrono>
#include <cstdint>

namespace planetserve {

using Duration = std::chrono::microseconds;
using namespace std::chrono_literals;

// Monotonic time since an arbitrary start: the steady clock in a node, virtual time in the simulator.
struct MonotonicTag {
    using rep = Duration::rep;
    using period = Duration::period;
    using duration = Duration;
    using time_point = std::chrono::time_point<MonotonicTag, Duration>;
    static constexpr bool is_steady = true;
};
using Time = MonotonicTag::time_point;

inline double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Milliseconds since 1970-01-01 UTC, for what nodes must agree on: leases and block times.
struct UnixTime {
    std::int64_t milliseconds = 0;

    auto operator<=>(const UnixTime&) const = default;
    UnixTime operator+(std::chrono::milliseconds d) const { return {milliseconds + d.count()}; }
    std::chrono::milliseconds operator-(UnixTime other) const {
        return std::chrono::milliseconds(milliseconds - other.milliseconds);
    }
};

// The moment of an event, by both clocks. Adapters and the simulator read it once an event and hand it into protocol
// code.
struct Now {
    Time time;
    UnixTime unix;
};

class Clock {
public:
    virtual ~Clock() = default;
    virtual Time now() const = 0;
    virtual UnixTime unix_now() const = 0;
    Now read() const { return {now(), unix_now()}; }
};

// The machine's clocks. Thread-safe.
class SystemClock final : public Clock {
public:
    Time now() const override;
    UnixTime unix_now() const override;
};

}  // namespace planetserve
