#include <gtest/gtest.h>

#include "base/random.h"
#include "wire/frame_reader.h"
#include "wire/frame_roles.h"
#include "wire/goodbye.h"
#include "wire/hello.h"
#include "wire/path_sizes.h"

namespace planetserve::wire {
namespace {

TEST(Hello, RoundTripsAndSaysWhatDiffers) {
    Hello own;
    own.network.value[0] = 1;
    own.software = "planetserve 0.1.0";
    auto parsed = parse_hello(encode(own));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->software, own.software);
    EXPECT_TRUE(check_compatible(own, *parsed));
    Hello other = own;
    other.network.value[0] = 2;
    EXPECT_EQ(check_compatible(own, other).error().reason, GoodbyeReason::other_network);
    EXPECT_NE(check_compatible(own, other).error().error.message.find("genesis"), std::string::npos);
    other = own;
    other.version = other.oldest_compatible = 9;
    EXPECT_NE(check_compatible(own, other).error().error.message.find("version 9"), std::string::npos);
    EXPECT_FALSE(parse_hello(Bytes(10)));
}

TEST(Hello, AnOlderVersionIsRefusedAndBothVersionsAreNamed) {
    Hello own, old;
    old.version = old.oldest_compatible = 1;
    old.software = "planetserve 0.0.9";
    for (auto refused : {check_compatible(own, old), check_compatible(old, own)}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().reason, GoodbyeReason::incompatible_version);
    }
    EXPECT_EQ(check_compatible(own, old).error().error.message,
              "the other node speaks link version 1 (planetserve 0.0.9), this one 2; update the older one");
}

TEST(Goodbye, IsACodeAndADetail) {
    for (std::uint8_t code = 0; code <= 6; ++code) {
        Goodbye goodbye{static_cast<GoodbyeReason>(code), "why"};
        EXPECT_EQ(encode(goodbye), (Bytes{code, 'w', 'h', 'y'}));
        EXPECT_EQ(parse_goodbye(encode(goodbye)), goodbye);
    }
    EXPECT_EQ(parse_goodbye(Bytes{1}), (Goodbye{GoodbyeReason::idle, ""}));
    EXPECT_EQ(describe(GoodbyeReason::shutting_down), "shutting down");
}

TEST(Goodbye, UnknownCodesMeanOther) {
    EXPECT_EQ(parse_goodbye(Bytes{7, 'x'}), (Goodbye{GoodbyeReason::other, "x"}));
    EXPECT_EQ(parse_goodbye(Bytes{31}), (Goodbye{GoodbyeReason::other, ""}));
    EXPECT_EQ(parse_goodbye({}), Goodbye{});
}

TEST(Goodbye, OfLinkVersion1IsASentence) {
    EXPECT_EQ(parse_goodbye(as_bytes("update the older one")), (Goodbye{GoodbyeReason::other, "update the older one"}));
}

TEST(Goodbye, DetailsAreBoundedAndPrintable) {
    Goodbye goodbye{GoodbyeReason::idle, "a\nb\xff" + std::string(1000, 'c')};
    Bytes payload = encode(goodbye);
    EXPECT_EQ(payload.size(), maximum_goodbye_size);
    EXPECT_EQ(parse_goodbye(payload).detail.substr(0, 5), "a?b?c");
    EXPECT_EQ(parse_goodbye(Bytes{1, 'a', '\n', 0xff}).detail, "a??") << "also when the peer does not keep to it";
}

TEST(FrameReader, CutsWhateverWayTheBytesCome) {
    SeededRandom random(1);
    Bytes stream;
    std::vector<Bytes> sent;
    for (std::size_t size :
         {std::size_t{8}, std::size_t{9}, std::size_t{70000}, std::size_t{8}, std::size_t{1} << 20}) {
        Bytes payload(size);
        random.fill(payload);
        append_frame_header(stream, FrameType::call_response, size);
        append(stream, payload);
        sent.push_back(payload);
    }
    FrameReader reader;
    std::vector<Bytes> got;
    for (std::size_t at = 0; at < stream.size();) {
        std::size_t size = std::min<std::size_t>(stream.size() - at, 1 + random.below(30000));
        auto room = reader.room(size);
        std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(at), size, room.begin());
        reader.filled(size);
        at += size;
        ASSERT_TRUE(reader.take([&](FrameType type, MutableByteView payload) {
            EXPECT_EQ(type, FrameType::call_response);
            got.push_back(to_bytes(payload));
            return true;
        }));
    }
    EXPECT_EQ(got, sent);
    reader.release();
    EXPECT_EQ(reader.capacity(), 0u);
}

// Before: a header made room for a megabyte, whoever it came from and whether or not the frame was of any use.
TEST(FrameReader, AHeaderAloneTakesNoMemoryAndAFrameOfNoUseIsNeverHeld) {
    Bytes header;
    append_frame_header(header, FrameType::forward_request, 1'100'000);
    for (Role own : {Role::model, Role::user}) {
        FrameReader reader;
        auto feed = [&](ByteView bytes) {
            auto room = reader.room(std::max<std::size_t>(bytes.size(), 2048));
            std::ranges::copy(bytes, room.begin());
            reader.filled(bytes.size());
            std::vector<FrameType> got;
            EXPECT_TRUE(reader.take([&](FrameType type) { return takes(own, type) ? FrameUse::take : FrameUse::skip; },
                                    [&](FrameType type, MutableByteView) { return got.push_back(type), true; }));
            return got;
        };
        feed(header);
        reader.room(2048);
        EXPECT_LE(reader.capacity(), 4096u);
        Bytes rest(1'100'000);
        for (std::size_t at = 0; at < rest.size(); at += 10'000) {
            auto got = feed(ByteView(rest).subspan(at, 10'000));
            EXPECT_EQ(got.size(), own == Role::model && at + 10'000 == rest.size() ? 1u : 0u);
            EXPECT_LE(reader.buffered(), own == Role::model ? at + 10'004 : 0u);
            EXPECT_LE(reader.capacity(), 4 * (at + 20'000)) << "a few times what came, at most";
        }
        EXPECT_EQ(reader.skipped(), own == Role::user ? 1u : 0u);
        Bytes next;
        append_frame_header(next, FrameType::call_response, 8);
        next.resize(next.size() + 8);
        EXPECT_EQ(feed(next), std::vector{FrameType::call_response}) << "the stream is followed";
    }
}

TEST(FrameReader, ARefusedFrameIsRefusedByItsHeader) {
    Bytes bytes;
    append_frame_header(bytes, FrameType::call_response, 1 << 20);
    FrameReader reader;
    std::ranges::copy(bytes, reader.room(2048).begin());
    reader.filled(bytes.size());
    EXPECT_FALSE(
        reader.take([](FrameType) { return FrameUse::refuse; }, [](FrameType, MutableByteView) { return true; }));
    EXPECT_LE(reader.capacity(), 4096u);
}

TEST(Frames, SizesOutsideTheirTypesLimitsAreRefusedFromTheHeader) {
    Bytes header;
    append_frame_header(header, FrameType::path_cell, cell_size);
    EXPECT_FALSE(parse_frame_header(header));
    header.clear();
    append_frame_header(header, FrameType::path_cell, PathId::size + cell_size);
    EXPECT_TRUE(parse_frame_header(header));
    EXPECT_FALSE(parse_frame_header(Bytes{99, 0, 0, 8}));
    EXPECT_FALSE(parse_frame_header(Bytes{48, 0xff, 0xff, 0xff}));
}

}  // namespace
}  // namespace planetserve::wire
