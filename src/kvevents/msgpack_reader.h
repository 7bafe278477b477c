// Reads MessagePack (github.com/msgpack/msgpack, spec.md) value by value, in place.
//
// Input is not trusted. This allocates nothing, refuses a count that the remaining bytes cannot hold, and does not
// recurse. After the first value that is not as asked for, every call fails.
//
// Why not msgpack-cxx: its unpack() builds a tree of objects, and allocates 24 bytes for each element that a list only
// claims to have (create_object_visitor::start_array). Its limits bound one list and the depth, not the whole, so the
// bound of kv_event_decoder.h, some ten times the payload, would not hold. Its visitor allocates nothing but pushes
// values; the decoder asks for them, field by field.
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

    // The kind of the next value; nothing at the end, after a failure, and for bytes that begin no value.
    Kind next() const;
    bool failed() const { return failed_; }
    bool at_end() const { return !failed_ && rest_.empty(); }

    bool nil();
    // Negative integers as two's complement.
    std::optional<std::uint64_t> integer();
    std::optional<double> number();  // an integer or a real
    std::optional<std::string_view> text();
    std::optional<ByteView> binary();
    // How many values follow; of a map, how many pairs.
    std::optional<std::size_t> list();
    std::optional<std::size_t> map();
    // Skips one value with all that it holds.
    bool skip();

private:
    struct Head {
        Kind kind = Kind::nothing;
        std::size_t size = 0;     // of the head itself
        std::uint64_t value = 0;  // the integer, or a count of what follows
        std::size_t payload = 0;  // bytes that follow the head and belong to the value
    };
    Head head() const;
    Head take(Kind kind);

    ByteView rest_;
    bool failed_ = false;
};

}  // namespace planetserve::kvevents
