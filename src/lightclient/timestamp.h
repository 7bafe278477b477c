// Points in time as CometBFT signs them: to the nanosecond, from year 1 to 9999, UTC.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

#include "base/time.h"

namespace planetserve::lightclient {

struct Timestamp {
    std::int64_t seconds = 0;  // since 1970-01-01 UTC
    std::int32_t nanos = 0;    // 0 to 999,999,999; added to seconds, also before 1970

    auto operator<=>(const Timestamp&) const = default;

    static constexpr std::int64_t earliest_seconds = -62'135'596'800;  // 0001-01-01, Go's zero time
    static constexpr std::int64_t latest_seconds = 253'402'300'799;    // 9999-12-31T23:59:59
    // The time in an absent vote.
    static constexpr Timestamp zero_in_go() { return {earliest_seconds, 0}; }
    static Timestamp from(UnixTime time);

    bool in_range() const {
        return seconds >= earliest_seconds && seconds <= latest_seconds && nanos >= 0 && nanos < 1'000'000'000;
    }
    // Rounds down to milliseconds.
    UnixTime to_unix_time() const;
    // Saturates at the first and the last nanosecond of the range. REQUIRES: in_range().
    Timestamp operator+(std::chrono::nanoseconds d) const;
};

}  // namespace planetserve::lightclient
