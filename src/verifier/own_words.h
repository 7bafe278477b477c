// What a verification node has said in an epoch and could contradict, so that after a restart it says the same again:
// what it said may be on its way into a block that it does not know yet (docs/protocols/verification.md, "Restarts").
#pragma once

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::verifier {

struct OwnWords {
    static constexpr std::size_t largest = 2 << 20;  // serialised, in bytes

    std::uint64_t epoch = 0;
    // Signed transactions by kind. A reveal is there from the commitment on, which it has to fit.
    std::map<std::string, Bytes> words = {};
    Bytes transcript = {};  // of its report

    bool operator==(const OwnWords&) const = default;
};

Bytes serialise(const OwnWords& said);
// malformed: not such bytes.
Result<OwnWords> parse_own_words(ByteView bytes);

}  // namespace planetserve::verifier
