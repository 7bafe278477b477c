// The bytes of a link, cut in pieces as the input says: whatever the pieces, the same frames come out, and nothing is
// held beyond the largest frame. Also the hello and the goodbye.

#include <algorithm>
#include <vector>

#include "fuzz_check.h"
#include "wire/frame_reader.h"
#include "wire/goodbye.h"
#include "wire/hello.h"

using namespace planetserve;

namespace {

struct Outcome {
    std::vector<std::pair<wire::FrameType, Bytes>> frames;
    bool failed = false;
    bool operator==(const Outcome&) const = default;
};

Outcome read(ByteView stream, std::size_t piece) {
    Outcome outcome;
    wire::FrameReader reader;
    while (!stream.empty() && !outcome.failed) {
        std::size_t size = std::min(stream.size(), piece);
        auto room = reader.room(size);
        std::copy_n(stream.begin(), size, room.begin());
        reader.filled(size);
        stream = stream.subspan(size);
        outcome.failed = !reader.take([&](wire::FrameType type, MutableByteView payload) {
            outcome.frames.emplace_back(type, to_bytes(payload));
            return true;
        });
        check(reader.capacity() <= (std::size_t{4} << 20), "a bounded buffer");
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    ByteView input(data, size);
    std::size_t piece = 1 + input[0];
    ByteView stream = input.subspan(1);
    check(read(stream, piece) == read(stream, stream.size() + 1), "the same frames whatever the pieces");
    if (auto hello = wire::parse_hello(stream)) {
        auto again = wire::parse_hello(wire::encode(*hello));
        check(again && again->network == hello->network && again->software == hello->software,
              "a hello survives encoding");
    }
    wire::Goodbye goodbye = wire::parse_goodbye(stream);
    check(wire::encode(goodbye).size() <= wire::maximum_goodbye_size, "a bounded goodbye");
    if (!stream.empty() && stream[0] < 0x20)
        check(wire::parse_goodbye(wire::encode(goodbye)) == goodbye, "a goodbye survives encoding");
    return 0;
}
