#include "roles/directory_journal.h"

#include <utility>

namespace planetserve::roles {

namespace {

constexpr Duration repeat_failure_after = 60s;
constexpr std::size_t most_failures_kept = 64;

}  // namespace

std::vector<JournalLine> DirectoryJournal::update(const DirectoryFacts& facts, Time now) {
    std::vector<JournalLine> lines;
    if (facts.failures != std::exchange(failures_, facts.failures)) tell_failure(facts.last_failure, now, lines);
    if (facts.registered != std::exchange(registered_, facts.registered))
        lines.push_back({JournalLine::Level::info,
                         facts.registered ? "registered: the directory accepted this node" : "no longer registered"});
    if (facts.listed != std::exchange(listed_, facts.listed))
        lines.push_back(
            {JournalLine::Level::info, (facts.listed ? "listed: the list of height " : "not in the list of height ") +
                                           std::to_string(facts.height) + (facts.listed ? " shows this node" : "")});
    return lines;
}

void DirectoryJournal::tell_failure(const std::string& failure, Time now, std::vector<JournalLine>& lines) {
    auto [told, first] = told_.try_emplace(failure, now);
    if (!first && now < told->second + repeat_failure_after) return;
    told->second = now;
    lines.push_back({JournalLine::Level::warning, "directory: " + failure});
    if (told_.size() > most_failures_kept) told_.clear();
}

}  // namespace planetserve::roles
