#include "crypto/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::crypto {
namespace {

TEST(Base64, HasOneWayToWriteEachString) {
    // RFC 4648, section 10.
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
        EXPECT_EQ(from_base64(encoded), to_bytes(plain));
    }
    for (std::string_view wrong : {"Zg=", "Zg", "Zh==", "Z===", "====", "Zm9!", "Zg==Zg=="})
        EXPECT_FALSE(from_base64(wrong)) << wrong;
}

TEST(Base64, WhatWasWrittenIsReadAgain) {
    SeededRandom random(8);
    for (std::size_t size = 0; size < 300; ++size) {
        Bytes bytes(size);
        random.fill(bytes);
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    }
}

TEST(Base64, RefusesSpacesOtherAlphabetsAndLoosePadding) {
    for (std::string_view wrong : {"Zg= =", " Zg==", "Zg==\n", "Zm9v\nYg==", "-_-_", "Zg==Zg", "Z", "=", "Zm9vYh=="})
        EXPECT_FALSE(from_base64(wrong)) << wrong;
}

}  // namespace
}  // namespace planetserve::crypto
