// What a verification node has said in an epoch and could contradict, so that after a restart it says the same again:
// what it said may be on its way into a block that it does not know yet (docs/protocols/verification.md, "Restarts").
#pragma once

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::verification_agent {

struct OwnStatements {
    static constexpr std::size_t largest = 2 << 20;  // serialised, in bytes

    std::uint64_t epoch = 0;
    // Signed transactions by kind. A reveal is there from the commitment on, which it has to fit.
    std::map<std::string, Bytes> statements = {};
    Bytes transcript = {};  // of its report

    bool operator==(const OwnStatements&) const = default;
};

Bytes serialise(const OwnStatements& said);
// malformed: not such bytes.
Result<OwnStatements> parse_own_statements(ByteView bytes);

}  // namespace planetserve::verification_agent
