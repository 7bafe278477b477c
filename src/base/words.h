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

// A text of several lines and any language, without what moves a terminal's cursor or changes its colours and title:
// the control characters of ASCII but for line ends and tabs, and in UTF-8 those of ISO 8859-1. May be called for each
// piece of a text, cut between its characters.
inline std::string without_controls(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool second_of_control = i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (byte == 0xc2 && second_of_control)
            ++i;
        else if ((byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t')
            out += text[i];
    }
    return out;
}

}  // namespace planetserve
