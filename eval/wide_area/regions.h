// How far regions of the world are from each other: round-trip times between data centres that everyone can look up.
//
// Microsoft's "Azure network round-trip latency statistics" (documentation of Azure, page azure-network-latency):
// medians over the 30 days that ended on 2 July 2026, in whole milliseconds, for 18 of its regions. Of a pair the mean
// of both directions counts; within a region, which the table leaves out, 2 ms. It tells nothing of the lines between
// homes and the nearest data centre: that is the experiment's to add.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace planetserve::eval {

inline constexpr std::size_t region_count = 18;

std::string_view region_name(std::size_t region);
Duration region_round_trip(std::size_t one, std::size_t other);

enum class Area { us, world };
// Nine regions of the United States; twelve of six continents, three of them in the United States.
std::vector<std::size_t> regions_of(Area area);
std::string_view to_string(Area area);

}  // namespace planetserve::eval
