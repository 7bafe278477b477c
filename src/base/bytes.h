// Byte strings, and bounded readers and writers of the project's binary formats (all integers big-endian).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace planetserve {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline std::string to_string(ByteView bytes) { return std::string(as_text(bytes)); }
inline Bytes to_bytes(ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); }
inline Bytes to_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }
inline void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// Lower-case hexadecimal. from_hex takes either case and is empty for anything that is not whole bytes of hex.
std::string to_hex(ByteView bytes);
std::optional<Bytes> from_hex(std::string_view text);

// Compares in time that depends on the lengths only.
bool equal_in_constant_time(ByteView a, ByteView b);

// Appends fields to a byte string. The string outlives the writer.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    void u8(std::uint8_t value) { out_.push_back(value); }
    void u16(std::uint16_t value) { integer(value, 2); }
    void u32(std::uint32_t value) { integer(value, 4); }
    void u64(std::uint64_t value) { integer(value, 8); }
    void bytes(ByteView value) { append(out_, value); }

private:
    void integer(std::uint64_t value, int size) {
        for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
            out_.push_back(static_cast<std::uint8_t>(value >> shift));
    }

    Bytes& out_;
};

// Reads fields in order. A read past the end yields zeros and makes ok() false for good, so that a parser may read all
// its fields and check once; sizes must still be checked before they are used to allocate.
class ByteReader {
public:
    explicit ByteReader(ByteView in) : in_(in) {}

    std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
    std::uint64_t u64() { return integer(8); }
    // A view into the input; empty when fewer than size bytes are left.
    ByteView bytes(std::size_t size) {
        if (size > in_.size()) {
            ok_ = false;
            return {};
        }
        ByteView value = in_.first(size);
        in_ = in_.subspan(size);
        return value;
    }
    template <std::size_t N>
    std::array<std::uint8_t, N> array() {
        std::array<std::uint8_t, N> value{};
        ByteView view = bytes(N);
        if (view.size() == N) std::copy(view.begin(), view.end(), value.begin());
        return value;
    }
    ByteView rest() { return bytes(in_.size()); }

    std::size_t remaining() const { return in_.size(); }
    bool ok() const { return ok_; }
    // True when every read was within the input and nothing is left over.
    bool finished() const { return ok_ && in_.empty(); }

private:
    std::uint64_t integer(std::size_t size) {
        std::uint64_t value = 0;
        for (std::uint8_t byte : bytes(size)) value = value << 8 | byte;
        return value;
    }

    ByteView in_;
    bool ok_ = true;
};

// Writes a big-endian integer in place; used by fixed-size formats. Requires: out.size() >= sizeof(T).
template <typename T>
void store_big_endian(MutableByteView out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * (sizeof(T) - 1 - i)));
}
template <typename T>
T load_big_endian(ByteView in) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | in[i];
    return static_cast<T>(value);
}

}  // namespace planetserve
