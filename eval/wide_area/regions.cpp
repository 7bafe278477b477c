#include "eval/wide_area/regions.h"

namespace planetserve::eval {

namespace {

constexpr std::array<std::string_view, region_count> names{"East US",
                                                           "East US 2",
                                                           "Central US",
                                                           "North Central US",
                                                           "South Central US",
                                                           "West Central US",
                                                           "West US",
                                                           "West US 2",
                                                           "West US 3",
                                                           "Brazil South",
                                                           "UK South",
                                                           "Germany West Central",
                                                           "South Africa North",
                                                           "UAE North",
                                                           "Central India",
                                                           "Southeast Asia",
                                                           "Japan East",
                                                           "Australia East"};

// Row: from; column: to; milliseconds there and back. Zeros: the table has none within a region.
// clang-format off
constexpr std::array<std::array<std::uint16_t, region_count>, region_count> table{{
    {0, 9, 33, 24, 41, 56, 73, 76, 61, 121, 80, 95, 220, 184, 205, 235, 172, 199},
    {10, 0, 33, 24, 33, 49, 69, 70, 56, 119, 83, 93, 217, 191, 203, 228, 167, 197},
    {29, 32, 0, 15, 26, 19, 42, 40, 45, 149, 108, 122, 242, 195, 226, 198, 137, 178},
    {20, 23, 15, 0, 38, 27, 49, 47, 53, 139, 98, 111, 233, 191, 218, 206, 144, 187},
    {36, 31, 26, 38, 0, 27, 35, 55, 22, 139, 113, 125, 242, 208, 243, 199, 129, 161},
    {53, 48, 19, 27, 27, 0, 26, 25, 35, 157, 126, 135, 259, 234, 235, 184, 122, 162},
    {74, 72, 49, 55, 43, 33, 0, 32, 26, 174, 147, 157, 277, 254, 227, 174, 110, 145},
    {79, 74, 45, 51, 59, 30, 30, 0, 46, 180, 148, 159, 282, 258, 219, 167, 103, 165},
    {57, 54, 43, 52, 21, 34, 18, 40, 0, 162, 133, 146, 262, 224, 232, 181, 112, 145},
    {120, 120, 152, 141, 142, 157, 172, 179, 164, 0, 182, 198, 323, 283, 307, 338, 265, 297},
    {79, 82, 108, 97, 113, 123, 140, 143, 135, 181, 0, 17, 163, 119, 134, 167, 229, 260},
    {95, 92, 122, 111, 125, 134, 149, 156, 146, 197, 17, 0, 165, 119, 141, 167, 235, 265},
    {220, 218, 243, 234, 243, 259, 273, 280, 265, 321, 163, 165, 0, 107, 135, 180, 248, 269},
    {183, 190, 195, 191, 208, 234, 248, 254, 226, 281, 119, 120, 107, 0, 32, 80, 148, 168},
    {202, 204, 230, 222, 245, 240, 223, 216, 237, 306, 140, 143, 137, 34, 0, 59, 127, 151},
    {237, 234, 199, 207, 200, 187, 172, 166, 185, 338, 169, 169, 181, 79, 60, 0, 74, 96},
    {171, 166, 136, 144, 128, 122, 108, 100, 113, 264, 228, 235, 248, 146, 124, 72, 0, 103},
    {203, 201, 182, 189, 168, 167, 147, 167, 155, 298, 265, 268, 275, 174, 154, 96, 105, 0},
}};
// clang-format on

constexpr Duration within_region = 2ms;

}  // namespace

std::string_view region_name(std::size_t region) { return names.at(region); }

Duration region_round_trip(std::size_t one, std::size_t other) {
    if (one == other) return within_region;
    // Both ends measured it, a few milliseconds apart.
    return Duration(std::chrono::milliseconds(table.at(one).at(other) + table.at(other).at(one))) / 2;
}

std::vector<std::size_t> regions_of(Area area) {
    if (area == Area::us) return {0, 1, 2, 3, 4, 5, 6, 7, 8};
    return {0, 2, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17};
}

std::string_view to_string(Area area) { return area == Area::us ? "us" : "world"; }

}  // namespace planetserve::eval
