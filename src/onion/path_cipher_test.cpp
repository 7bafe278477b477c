#include "onion/path_cipher.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::onion {
namespace {

std::vector<HopKeys> three_hops() {
    SeededRandom random(1);
    std::vector<HopKeys> keys(3);
    for (HopKeys& hop : keys) {
        random.fill(hop.forward.bytes());
        random.fill(hop.backward.bytes());
    }
    return keys;
}

CellBody cell_with(std::uint8_t first) {
    CellBody body{};
    body[0] = first;
    return body;
}

TEST(PathCipher, RelaysPeelAllLayersOfTheCellsItSeals) {
    auto keys = three_hops();
    PathCipher cipher(keys);
    for (std::uint64_t count = 0; count < 3; ++count) {
        CellBody body = cell_with(7);
        cipher.seal(body);
        crypto::stream_xor(keys[0].forward, count, body);
        crypto::stream_xor(keys[1].forward, count, body);
        ASSERT_TRUE(open_cell(keys[2].forward, count, body));
        EXPECT_EQ(body[0], 7);
    }
}

TEST(PathCipher, OpensTheProxysCellsInTheirOrderOnly) {
    auto keys = three_hops();
    auto from_proxy = [&](std::uint64_t count) {
        CellBody body = cell_with(static_cast<std::uint8_t>(count));
        seal_cell(keys[2].backward, count, body);
        crypto::stream_xor(keys[1].backward, count, body);
        crypto::stream_xor(keys[0].backward, count, body);
        return body;
    };
    PathCipher cipher(keys);
    CellBody first = from_proxy(0);
    ASSERT_TRUE(cipher.open(first));
    CellBody second = from_proxy(1);
    ASSERT_TRUE(cipher.open(second));
    EXPECT_EQ(second[0], 1);
    CellBody skipped = from_proxy(3);
    EXPECT_FALSE(cipher.open(skipped)) << "a cell was lost before it";
}

TEST(PathCipher, DoesNotOpenAChangedCell) {
    auto keys = three_hops();
    CellBody body = cell_with(1);
    seal_cell(keys[2].backward, 0, body);
    crypto::stream_xor(keys[1].backward, 0, body);
    body[100] ^= 1;
    crypto::stream_xor(keys[0].backward, 0, body);
    EXPECT_FALSE(PathCipher(keys).open(body));
}

}  // namespace
}  // namespace planetserve::onion
