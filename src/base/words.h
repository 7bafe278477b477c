// Words for people: counts with their noun; texts of strangers, which must not move a terminal's cursor or begin a line
// of a log.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace planetserve {

// "1 node", "2 nodes"; "1 thing is wrong" of ("thing is wrong", "things are wrong").
inline std::string counted(std::size_t count, const std::string& one, const std::string& many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

// A space, or a character of ASCII that is seen.
inline bool is_printable(char c) { return c >= 0x20 && c < 0x7f; }
inline bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return is_printable(c); });
}
// With '?' for each byte that is not printable.
inline std::string printable(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(out, [](char c) { return !is_printable(c); }, '?');
    return out;
}

}  // namespace planetserve
