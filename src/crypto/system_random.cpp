#include "crypto/system_random.h"

#include <sodium.h>

#include <stdexcept>

namespace planetserve::crypto {

SystemRandom::SystemRandom() {
    if (sodium_init() < 0) throw std::runtime_error("libsodium could not start: no source of random numbers");
}

void SystemRandom::fill(MutableByteView out) {
    if (!out.empty()) randombytes_buf(out.data(), out.size());  // libsodium refuses a null pointer, even for 0 bytes
}

}  // namespace planetserve::crypto
