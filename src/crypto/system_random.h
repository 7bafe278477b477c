// The operating system's cryptographic generator, through libsodium. Thread-safe. The constructor throws
// std::runtime_error if libsodium cannot start.
#pragma once

#include "base/random.h"

namespace planetserve::crypto {

class SystemRandom final : public Random {
public:
    SystemRandom();
    void fill(MutableByteView out) override;
};

}  // namespace planetserve::crypto
