// A violated property ends the fuzzer with its name.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void check(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "violated: %s\n", what);
    std::abort();
}
