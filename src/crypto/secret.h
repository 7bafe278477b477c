// Key material; the destructor wipes it.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace planetserve::crypto {

void wipe(MutableByteView bytes);

template <std::size_t N>
class Secret {
public:
    Secret() = default;
    explicit Secret(const std::array<std::uint8_t, N>& value) : value_(value) {}
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    ~Secret() { wipe(value_); }

    bool operator==(const Secret& other) const { return equal_in_constant_time(value_, other.value_); }
    ByteView bytes() const { return value_; }
    MutableByteView bytes() { return value_; }

private:
    std::array<std::uint8_t, N> value_{};
};

using SymmetricKey = Secret<32>;

}  // namespace planetserve::crypto
