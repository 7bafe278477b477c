// What a node's log says of the directory: that it accepted the node, that the list shows it, and what fails.
//
// Pure: facts and the time go in, lines come out. Each fact is told once. A failure that repeats is told once a minute:
// another verification node is asked at once, so it is not a problem of its own, but the log keeps it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"

namespace planetserve::roles {

struct DirectoryFacts {
    bool registered = false;     // the directory accepted the node's registration
    bool listed = false;         // the node's own list shows it
    std::int64_t height = 0;     // of that list
    std::uint64_t failures = 0;  // of calls, so far
    std::string last_failure;
};

struct JournalLine {
    enum class Level : std::uint8_t { info, warning };
    Level level;
    std::string text;

    bool operator==(const JournalLine&) const = default;
};

class DirectoryJournal {
public:
    // The lines that are due since the last call.
    std::vector<JournalLine> update(const DirectoryFacts& facts, Time now);

private:
    void tell_failure(const std::string& failure, Time now, std::vector<JournalLine>& lines);

    bool registered_ = false;
    bool listed_ = false;
    std::uint64_t failures_ = 0;
    std::map<std::string, Time> told_;  // failures, and when
};

}  // namespace planetserve::roles
