#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/ids.h"

namespace planetserve {
namespace {

TEST(Bytes, HexRoundTripsAndRefusesWhatIsNotHex) {
    Bytes all;
    for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
    EXPECT_EQ(from_hex(to_hex(all)), all);
    EXPECT_EQ(from_hex("AbCd"), (Bytes{0xab, 0xcd}));
    EXPECT_FALSE(from_hex("abc"));
    EXPECT_FALSE(from_hex("zz"));
}

TEST(Bytes, ReaderReadsWhatTheWriterWrote) {
    Bytes out;
    ByteWriter writer(out);
    writer.u8(1);
    writer.u16(0x0203);
    writer.u32(0x04050607);
    writer.u64(0x08090a0b0c0d0e0f);
    writer.bytes(as_bytes("end"));
    ByteReader reader(out);
    EXPECT_EQ(reader.u8(), 1);
    EXPECT_EQ(reader.u16(), 0x0203);
    EXPECT_EQ(reader.u32(), 0x04050607u);
    EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fu);
    EXPECT_EQ(as_text(reader.rest()), "end");
    EXPECT_TRUE(reader.finished());
}

TEST(Bytes, ReadingPastTheEndIsStickyAndReturnsZeros) {
    Bytes in{1, 2, 3};
    ByteReader reader(in);
    EXPECT_EQ(reader.u32(), 0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.u8(), 1);
    EXPECT_FALSE(reader.ok());
}

TEST(Ids, OnlyExactSizesAreIds) {
    EXPECT_FALSE(PathId::from(Bytes(7)));
    EXPECT_TRUE(PathId::from(Bytes(8)));
    auto id = PathId::from_hex("0102030405060708");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->brief(), "01020304");
    EXPECT_NE(IdHash{}(*id), IdHash{}(PathId{}));
}

}  // namespace
}  // namespace planetserve
