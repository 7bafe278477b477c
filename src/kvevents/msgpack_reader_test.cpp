#include "kvevents/msgpack_reader.h"

#include <gtest/gtest.h>

namespace planetserve::kvevents {
namespace {

using Kind = MsgpackReader::Kind;

class Hex {
public:
    explicit Hex(std::string_view hex) : bytes_(*from_hex(hex)), reader(bytes_) {}

private:
    Bytes bytes_;

public:
    MsgpackReader reader;
};

std::uint64_t integer(std::string_view hex) { return Hex(hex).reader.integer().value(); }

// From the tables of the specification.
TEST(MsgpackReader, Integers) {
    EXPECT_EQ(integer("00"), 0u);
    EXPECT_EQ(integer("7f"), 127u);
    EXPECT_EQ(integer("ff"), static_cast<std::uint64_t>(-1));
    EXPECT_EQ(integer("e0"), static_cast<std::uint64_t>(-32));
    EXPECT_EQ(integer("cc80"), 128u);
    EXPECT_EQ(integer("cd0100"), 256u);
    EXPECT_EQ(integer("ce00010000"), 65536u);
    EXPECT_EQ(integer("cfffffffffffffffff"), 0xffffffffffffffffu);
    EXPECT_EQ(integer("d080"), static_cast<std::uint64_t>(-128));
    EXPECT_EQ(integer("d1ff7f"), static_cast<std::uint64_t>(-129));
    EXPECT_EQ(integer("d2ffff7fff"), static_cast<std::uint64_t>(-32769));
    EXPECT_EQ(integer("d38000000000000000"), 0x8000000000000000u);
    EXPECT_EQ(Hex("cb3ff8000000000000").reader.number(), 1.5);
    EXPECT_EQ(Hex("ca3fc00000").reader.number(), 1.5);
    EXPECT_EQ(Hex("ff").reader.number(), -1.0);
}

TEST(MsgpackReader, TextsBytesListsAndMaps) {
    EXPECT_EQ(Hex("a3475055").reader.text(), "GPU");
    EXPECT_EQ(Hex("d903475055").reader.text(), "GPU");
    EXPECT_EQ(Hex("da0003475055").reader.text(), "GPU");
    EXPECT_EQ(Hex("db00000003475055").reader.text(), "GPU");
    EXPECT_EQ(to_hex(*Hex("c4020102").reader.binary()), "0102");
    EXPECT_EQ(to_hex(*Hex("c500020102").reader.binary()), "0102");
    EXPECT_EQ(to_hex(*Hex("c6000000020102").reader.binary()), "0102");
    EXPECT_EQ(Hex("920102").reader.list(), 2u);
    EXPECT_EQ(Hex("dc00020102").reader.list(), 2u);
    EXPECT_EQ(Hex("dd000000020102").reader.list(), 2u);
    EXPECT_EQ(Hex("810102").reader.map(), 1u);
    EXPECT_EQ(Hex("de00010102").reader.map(), 1u);
    EXPECT_EQ(Hex("df000000010102").reader.map(), 1u);
    EXPECT_TRUE(Hex("c0").reader.nil());
}

TEST(MsgpackReader, SkipsWhateverIsThere) {
    // A list of all kinds of values, extensions too, and then a number.
    Hex all(
        "9bc0c2c3d40155c7020aaabbd601000000008101920203a0c40100cb0000000000000000"
        "a161"
        "07");
    EXPECT_TRUE(all.reader.skip());
    EXPECT_EQ(all.reader.integer(), 7u);
    EXPECT_TRUE(all.reader.at_end());
    std::string deep(200'000, '9');
    for (std::size_t i = 1; i < deep.size(); i += 2) deep[i] = '1';
    EXPECT_TRUE(Hex(deep + "c0").reader.skip()) << "without recursion";
    EXPECT_FALSE(Hex(deep).reader.skip());
}

TEST(MsgpackReader, FailsForGood) {
    for (const char* hex :
         {"", "c1", "cd01", "a3474f", "c4", "c403", "92", "dd00000003", "df00000001c0", "d4", "c702"}) {
        Hex one(hex);
        EXPECT_FALSE(one.reader.skip()) << hex;
        EXPECT_TRUE(one.reader.failed());
        EXPECT_FALSE(one.reader.at_end());
        EXPECT_EQ(one.reader.next(), Kind::nothing);
    }
    Hex text("a0c0");
    EXPECT_FALSE(text.reader.integer());
    EXPECT_FALSE(text.reader.text()) << "after a failure nothing is read";
}

}  // namespace
}  // namespace planetserve::kvevents
