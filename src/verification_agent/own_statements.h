// The statements of one epoch that a verification node could contradict after a restart. It stores them before it
// submits them and repeats them after a restart, because they may be on their way into a block that the node does not
// know yet (docs/protocols/verification.md, "Restarts").
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::verification_agent {

// The transactions of a verification node; the stored form names them by name_of.
enum class StatementKind : std::uint8_t { draw, report, recheck, commit, reveal };
std::string_view name_of(StatementKind kind);

struct OwnStatements {
    static constexpr std::size_t largest = 2 << 20;  // serialised, in bytes

    std::uint64_t epoch = 0;
    // Signed transactions by the name of their kind. The reveal is here from the commit on, which it has to fit.
    std::map<std::string, Bytes> statements = {};
    Bytes transcript = {};  // of the report

    bool operator==(const OwnStatements&) const = default;
};

Bytes serialise(const OwnStatements& own);
// Error: malformed when the bytes are no serialised OwnStatements.
Result<OwnStatements> parse_own_statements(ByteView bytes);

}  // namespace planetserve::verification_agent
