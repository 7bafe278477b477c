// Words for people: counts with their noun.
#pragma once

#include <cstddef>
#include <string>

namespace planetserve {

// "1 node", "2 nodes"; "1 thing is wrong" of ("thing is wrong", "things are wrong").
inline std::string counted(std::size_t count, const std::string& one, const std::string& many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace planetserve
