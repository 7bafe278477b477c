// The orders of the dishonest node and the results: files in its home, by which a test drives it.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/result.h"

namespace planetserve::hostile {

// The words in a file; none if it cannot be read.
std::set<std::string> orders_in(const std::filesystem::path& file);

class Diary {
public:
    // orders: what to do in an epoch (false_statements.h). said: the diary, a JSON object a line.
    Diary(std::filesystem::path orders, std::filesystem::path said)
        : orders_(std::move(orders)), said_(std::move(said)) {}

    // The orders for an epoch. They stay the same for the whole epoch, even if the file changes.
    const std::set<std::string>& orders_for(std::uint64_t epoch);
    // Writes what it said, and whether its own consensus engine accepted it.
    void note(std::uint64_t epoch, const std::string& kind, const Status& taken) const;

private:
    std::filesystem::path orders_, said_;
    std::map<std::uint64_t, std::set<std::string>> read_;
};

}  // namespace planetserve::hostile
