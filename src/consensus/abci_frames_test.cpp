#include "consensus/abci_frames.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace planetserve::consensus {
namespace {

TEST(AbciFrames, AreTheSameHoweverTheyArrive) {
    SeededRandom random(3);
    for (int round = 0; round < 200; ++round) {
        std::vector<Bytes> messages(random.below(8));
        Bytes stream;
        for (Bytes& message : messages) {
            message.resize(random.below(random.below(4) == 0 ? 40'000 : 200));
            random.fill(message);
            append_abci_frame(stream, message);
        }
        AbciFrames frames(40'000);
        std::vector<Bytes> seen;
        for (std::size_t at = 0; at < stream.size();) {
            std::size_t piece = std::min<std::size_t>(1 + random.below(5000), stream.size() - at);
            frames.append(ByteView(stream).subspan(at, piece));
            at += piece;
            while (true) {
                auto next = frames.next();
                ASSERT_TRUE(next);
                if (!*next) break;
                seen.push_back(to_bytes(**next));
            }
        }
        EXPECT_EQ(seen, messages);
    }
}

TEST(AbciFrames, ALengthBeyondTheLimitIsRefusedBeforeAnythingCame) {
    AbciFrames frames(1000);
    frames.append(Bytes{0xE9, 0x07});  // 1,001
    EXPECT_FALSE(frames.next());
    AbciFrames endless(1000);
    endless.append(Bytes{0x80, 0x80, 0x80, 0x80});
    EXPECT_FALSE(*endless.next());
    endless.append(Bytes{0x80});
    EXPECT_FALSE(endless.next());
}

}  // namespace
}  // namespace planetserve::consensus
