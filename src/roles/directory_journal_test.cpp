#include "roles/directory_journal.h"

#include <gtest/gtest.h>

namespace planetserve::roles {
namespace {

using Lines = std::vector<JournalLine>;
constexpr auto info = JournalLine::Level::info;
constexpr auto warning = JournalLine::Level::warning;

TEST(DirectoryJournal, TellsEachFactOnce) {
    DirectoryJournal journal;
    DirectoryFacts facts;
    EXPECT_EQ(journal.update(facts, Time{1s}), Lines{});
    facts.registered = true;
    EXPECT_EQ(journal.update(facts, Time{2s}), (Lines{{info, "registered: the directory accepted this node"}}));
    EXPECT_EQ(journal.update(facts, Time{3s}), Lines{});
    facts.listed = true;
    facts.height = 17;
    EXPECT_EQ(journal.update(facts, Time{4s}), (Lines{{info, "listed: the list of height 17 shows this node"}}));
    facts.height = 18;
    EXPECT_EQ(journal.update(facts, Time{5s}), Lines{});
    facts.registered = facts.listed = false;
    EXPECT_EQ(journal.update(facts, Time{6s}),
              (Lines{{info, "no longer registered"}, {info, "not in the list of height 18"}}));
}

TEST(DirectoryJournal, RepeatsAFailureOnceAMinute) {
    DirectoryJournal journal;
    DirectoryFacts facts;
    facts.failures = 1;
    facts.last_failure = "timed out";
    EXPECT_EQ(journal.update(facts, Time{1s}), (Lines{{warning, "directory: timed out"}}));
    facts.failures = 2;
    EXPECT_EQ(journal.update(facts, Time{60s}), Lines{});
    facts.failures = 3;
    EXPECT_EQ(journal.update(facts, Time{61s}), (Lines{{warning, "directory: timed out"}}));
    facts.failures = 4;
    facts.last_failure = "refused";
    EXPECT_EQ(journal.update(facts, Time{62s}), (Lines{{warning, "directory: refused"}}));
}

}  // namespace
}  // namespace planetserve::roles
