// Reads MessagePack (github.com/msgpack/msgpack, spec.md) value by value, in place.
//
// For untrusted input: allocates nothing, refuses a count that the remaining bytes cannot hold, and does not recurse.
// After the first value of another kind than the caller asked for, every call fails.
//
// Why not msgpack-cxx: its unpack() builds a tree of objects and allocates 24 bytes for each element that a list claims
// to have (create_object_visitor::start_array). Its limits bound one list and the depth, but not the whole, so it could
// allocate more than the ten times the payload that kv_event_decoder.h permits. Its visitor allocates nothing, but
// pushes values; the decoder asks for values field by field.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace planetserve::kvevents {

class MsgpackReader {
public:
    enum class Kind : std::uint8_t { nothing, nil, boolean, integer, real, text, binary, list, map, extension };

    explicit MsgpackReader(ByteView bytes) : rest_(bytes) {}

    // The kind of the next value. Kind::nothing at the end, after a failure, and for bytes that begin no value.
    Kind next() const;
    bool failed() const { return failed_; }
    bool at_end() const { return !failed_ && rest_.empty(); }

    bool nil();
    // A negative integer comes as two's complement.
    std::optional<std::uint64_t> integer();
    std::optional<double> number();  // accepts an integer or a real
    std::optional<std::string_view> text();
    std::optional<ByteView> binary();
    // How many values follow, or how many pairs in a map.
    std::optional<std::size_t> list();
    std::optional<std::size_t> map();
    // Skips one value with everything in it.
    bool skip();

private:
    struct Head {
        Kind kind = Kind::nothing;
        std::size_t size = 0;     // of the head itself
        std::uint64_t value = 0;  // the integer, or the count of values or pairs that follow
        std::size_t payload = 0;  // bytes that follow the head and belong to the value
    };
    Head head() const;
    Head take(Kind kind);

    ByteView rest_;
    bool failed_ = false;
};

}  // namespace planetserve::kvevents
