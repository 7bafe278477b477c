// The operating system's cryptographic generator, through libsodium. Thread-safe.
#pragma once

#include "base/random.h"

namespace planetserve::crypto {

class SystemRandom final : public Random {
public:
    SystemRandom();
    void fill(MutableByteView out) override;
};

}  // namespace planetserve::crypto
