// Preconditions as assertions.
//
// A header says what a call needs under "Requires:"; the function checks it with REQUIRES. A failed check is a fault of
// ours: it prints where and what, and ends the process. So it never tests what a peer or a user sent: that is a Result.
// The checks stay on in every build. Keep them cheap.
#pragma once

namespace planetserve {

// Prints "FILE:LINE: requires CONDITION" to standard error and aborts.
[[noreturn]] void requirement_failed(const char* condition, const char* file, int line);

}  // namespace planetserve

#define REQUIRES(condition) \
    ((condition) ? static_cast<void>(0) : ::planetserve::requirement_failed(#condition, __FILE__, __LINE__))
