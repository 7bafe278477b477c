#include "base/requires.h"

#include <cstdio>
#include <cstdlib>

namespace planetserve {

void requirement_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: requires %s\n", file, line, condition);
    std::abort();
}

}  // namespace planetserve
