#include "lightclient/timestamp.h"

namespace planetserve::lightclient {

namespace {

constexpr std::int64_t billion = 1'000'000'000;

// Rounds down, so the remainder is never negative.
std::int64_t floor_divide(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

}  // namespace

Timestamp Timestamp::from(UnixTime time) {
    std::int64_t seconds = floor_divide(time.milliseconds, 1000);
    return {seconds, static_cast<std::int32_t>((time.milliseconds - seconds * 1000) * 1'000'000)};
}

UnixTime Timestamp::to_unix_time() const { return {seconds * 1000 + nanos / 1'000'000}; }

Timestamp Timestamp::operator+(std::chrono::nanoseconds d) const {
    // 64 bits hold 292 years of nanoseconds, so neither sum overflows.
    std::int64_t whole = floor_divide(d.count(), billion);
    std::int64_t part = nanos + (d.count() - whole * billion);
    Timestamp sum{seconds + whole + part / billion, static_cast<std::int32_t>(part % billion)};
    if (sum.seconds > latest_seconds) return {latest_seconds, static_cast<std::int32_t>(billion - 1)};
    if (sum.seconds < earliest_seconds) return zero_in_go();
    return sum;
}

}  // namespace planetserve::lightclient
