#include "dispersal/combine.h"

#include <gtest/gtest.h>

#include "crypto/system_random.h"
#include "dispersal/polynomial.h"
#include "dispersal/split.h"

namespace planetserve::dispersal {
namespace {

constexpr std::size_t limit = 4096;

class CollectorTest : public testing::Test {
protected:
    std::vector<Bytes> make(Threshold threshold, std::size_t size = 1000) {
        message.resize(size);
        random.fill(message);
        id = random.id<MessageId>();
        return split(message, threshold, id, binding, random).value();
    }
    // Changes one random bit of share or fragment.
    void corrupt(Bytes& clove) {
        clove[24 + random.below(clove.size() - 24)] ^= static_cast<std::uint8_t>(1u << random.below(8));
    }
    void forge(Bytes& clove) { random.fill(MutableByteView(clove).subspan(24)); }

    crypto::SystemRandom random;
    Bytes binding = to_bytes("the agreement");
    Bytes message;
    MessageId id;
};

ErrorCode code_of(const Result<Progress>& progress) {
    EXPECT_FALSE(progress);
    return progress ? ErrorCode::internal : progress.error().code;
}

TEST_F(CollectorTest, CompletesAtTheKthClove) {
    auto cloves = make({4, 3});
    Collector collector(binding, limit);
    EXPECT_FALSE(collector.message());
    EXPECT_EQ(collector.add(cloves[3]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[0]), Progress::needs_more);
    EXPECT_FALSE(collector.complete());
    EXPECT_EQ(collector.message()->id, id);
    EXPECT_EQ(collector.held_bytes(), 2 * cloves[0].size());
    EXPECT_EQ(collector.add(cloves[2]), Progress::complete);
    EXPECT_EQ(collector.trials(), 1u);
    EXPECT_EQ(collector.take_message(), message);
    EXPECT_TRUE(collector.corrupt().empty());
}

TEST_F(CollectorTest, TakesOverBytesAndMayBeMoved) {
    auto cloves = make({4, 3});
    Collector first(binding, limit);
    EXPECT_EQ(first.add(Bytes(cloves[1])), Progress::needs_more);
    EXPECT_EQ(first.add(Bytes(cloves[2])), Progress::needs_more);
    Collector second(std::move(first));
    Collector third({}, 1);
    third = std::move(second);
    EXPECT_EQ(third.add(std::move(cloves[3])), Progress::complete);
    EXPECT_EQ(third.take_message(), message);
    Collector fourth(std::move(third));
    EXPECT_TRUE(fourth.verify(cloves[0]));
}

TEST_F(CollectorTest, NamesTheCorruptCloveInEveryPlaceAndOrder) {
    for (int kind = 0; kind < 2; ++kind)
        for (std::uint8_t bad = 0; bad < 4; ++bad) {
            std::vector<std::uint8_t> order{0, 1, 2, 3};
            do {
                auto cloves = make({4, 3}, 1 + random.below(200));
                kind == 0 ? corrupt(cloves[bad]) : forge(cloves[bad]);
                Collector collector(binding, limit);
                for (std::size_t arrived = 0; arrived < 4; ++arrived) {
                    auto progress = collector.add(cloves[order[arrived]]);
                    if (arrived < 2) {
                        ASSERT_EQ(progress, Progress::needs_more);
                    } else if (arrived == 2) {
                        ASSERT_EQ(progress, order[3] == bad ? Progress::complete : Progress::needs_more);
                    } else if (order[3] == bad) {
                        ASSERT_EQ(code_of(progress), ErrorCode::authentication);
                    } else {
                        ASSERT_EQ(progress, Progress::complete);
                    }
                }
                ASSERT_LE(collector.trials(), 4u);
                ASSERT_EQ(collector.corrupt(), std::vector<std::uint8_t>{bad});
                ASSERT_EQ(collector.take_message(), message);
                for (std::uint8_t i = 0; i < 4; ++i) ASSERT_EQ(collector.verify(cloves[i]), i != bad);

                std::vector<ByteView> views;
                for (std::uint8_t i : order) views.push_back(cloves[i]);
                auto recovered = combine(views, binding, limit);
                ASSERT_TRUE(recovered) << recovered.error().message;
                ASSERT_EQ(recovered->message, message);
                ASSERT_EQ(recovered->corrupt, std::vector<std::uint8_t>{bad});
            } while (std::ranges::next_permutation(order).found);
        }
}

// Every single bit of share and fragment counts, the padding's included: no clove passes as right that is not.
TEST_F(CollectorTest, NoChangedBitGoesUnnoticed) {
    auto cloves = make({4, 3}, 6);  // 22 bytes sealed, 24 in three fragments
    for (std::uint8_t bad = 0; bad < 4; ++bad)
        for (std::size_t bit = 24 * 8; bit < cloves[bad].size() * 8; ++bit) {
            auto changed = cloves;
            changed[bad][bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
            std::vector<ByteView> views(changed.begin(), changed.end());
            auto recovered = combine(views, binding, limit);
            ASSERT_TRUE(recovered) << recovered.error().message;
            ASSERT_EQ(recovered->message, message);
            ASSERT_EQ(recovered->corrupt, std::vector<std::uint8_t>{bad});
        }
}

// Two hostile paths change their shares by the values of a polynomial that is zero at 0 and at the third clove's point,
// so that the key stays what it was. Were these three accepted, the honest fourth clove would look wrong.
TEST_F(CollectorTest, SharesChangedInConcertDoNotFrameAnHonestClove) {
    auto cloves = make({4, 3});
    const std::array<std::uint8_t, 3> points{secret_point, point_of(2), point_of(0)};
    const std::uint8_t zero = 0;
    const std::uint8_t one = 1;
    std::uint8_t offset = 0;
    Interpolation(points, point_of(1)).apply(std::array{&zero, &zero, &one}, {&offset, 1});
    cloves[0][24] ^= one;
    cloves[1][24] ^= offset;
    // The key is indeed unchanged.
    auto key = [&](const Bytes& clove0, const Bytes& clove1) {
        const std::array<std::uint8_t, 3> first{1, 2, 3};
        std::uint8_t value = 0;
        Interpolation(first, secret_point)
            .apply(std::array<const std::uint8_t*, 3>{&clove0[24], &clove1[24], &cloves[2][24]}, {&value, 1});
        return value;
    };
    Bytes honest0 = cloves[0];
    Bytes honest1 = cloves[1];
    honest0[24] ^= one;
    honest1[24] ^= offset;
    ASSERT_EQ(key(cloves[0], cloves[1]), key(honest0, honest1));

    Collector collector(binding, limit);
    EXPECT_EQ(collector.add(cloves[0]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[1]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[2]), Progress::needs_more);
    EXPECT_EQ(code_of(collector.add(cloves[3])), ErrorCode::authentication);
    EXPECT_TRUE(collector.corrupt().empty());
}

TEST_F(CollectorTest, FailsWhenAllAreInAndNoKAgree) {
    auto cloves = make({4, 3});
    corrupt(cloves[0]);
    corrupt(cloves[2]);
    Collector collector(binding, limit);
    for (std::uint8_t i = 0; i < 3; ++i) EXPECT_EQ(collector.add(cloves[i]), Progress::needs_more);
    EXPECT_FALSE(collector.failed());
    EXPECT_EQ(code_of(collector.add(cloves[3])), ErrorCode::authentication);
    EXPECT_TRUE(collector.failed());
    EXPECT_EQ(collector.trials(), 4u);
    EXPECT_EQ(code_of(collector.add(make({4, 3})[0])), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(collector.add(cloves[1])), ErrorCode::exhausted);
}

TEST_F(CollectorTest, WithTwiceThePlacesAsManyWrongClovesDoNotShutTheTrueOnesOut) {
    auto cloves = make({4, 3});
    Collector collector(binding, limit, 2);
    for (const Bytes& clove : cloves) {
        Bytes wrong = clove;
        corrupt(wrong);
        EXPECT_EQ(collector.add(wrong), Progress::needs_more);
    }
    EXPECT_EQ(collector.add(cloves[2]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[0]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[3]), Progress::complete);
    EXPECT_EQ(collector.take_message(), message);
    EXPECT_EQ(collector.wrong_places(), (std::vector<std::size_t>{0, 1, 2, 3}));
    EXPECT_EQ(collector.corrupt(), (std::vector<std::uint8_t>{0, 1, 2, 3}));
    EXPECT_LE(collector.trials(), 35u);  // C(7, 3)
}

TEST_F(CollectorTest, ToleratesAsManyWrongClovesAsItPromises) {
    struct Case {
        Threshold threshold;
        std::size_t wrong;
    };
    for (auto [threshold, wrong] : {Case{{32, 3}, 16}, Case{{32, 16}, 3}, Case{{32, 29}, 2}, Case{{32, 1}, 31}}) {
        auto cloves = make(threshold, 500);
        for (std::size_t i = 0; i < wrong; ++i) forge(cloves[i]);
        Collector collector(binding, limit);
        std::size_t arrived = 0;
        while (!collector.complete() && !collector.failed()) (void)collector.add(cloves[arrived++]);
        EXPECT_TRUE(collector.complete()) << int{threshold.k} << " after " << collector.trials();
        EXPECT_EQ(arrived, threshold.k + wrong);
        EXPECT_EQ(collector.corrupt().size(), wrong);
        EXPECT_EQ(collector.take_message(), message);
    }
}

TEST_F(CollectorTest, GivesUpAfterItsTrials) {
    auto cloves = make({32, 16}, 10);
    for (Bytes& clove : cloves) forge(clove);
    Collector collector(binding, limit);
    std::size_t arrived = 0;
    while (!collector.failed()) {
        ASSERT_LT(arrived, cloves.size());
        (void)collector.add(cloves[arrived++]);
    }
    EXPECT_EQ(collector.trials(), maximum_trials);
    EXPECT_EQ(arrived, 20u);
    EXPECT_EQ(code_of(collector.add(cloves[31])), ErrorCode::exhausted);
}

// The sets are counted, not the ways to fail at making one: here no set of 16 distinct indices exists.
TEST_F(CollectorTest, ManyClovesOfFewIndicesCostNothing) {
    auto cloves = make({32, 16}, 10);
    Collector collector(binding, limit);
    for (std::size_t i = 0; i < 32; ++i) {
        Bytes clove = cloves[i % 15];
        forge(clove);
        auto progress = collector.add(clove);
        if (i == 31) {
            EXPECT_EQ(code_of(progress), ErrorCode::authentication);
        } else {
            EXPECT_EQ(progress, Progress::needs_more);
        }
    }
    EXPECT_EQ(collector.trials(), 0u);
}

TEST_F(CollectorTest, AForgedCloveDoesNotKeepTheTrueOneOfItsIndexOut) {
    auto cloves = make({4, 3});
    Bytes forged = cloves[0];
    forge(forged);
    Collector collector(binding, limit);
    EXPECT_EQ(collector.add(forged), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[0]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[1]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[2]), Progress::complete);
    EXPECT_EQ(collector.take_message(), message);
    EXPECT_EQ(collector.corrupt(), std::vector<std::uint8_t>{0});
    EXPECT_FALSE(collector.verify(forged));
    EXPECT_TRUE(collector.verify(cloves[0]));
}

TEST_F(CollectorTest, RefusesWhatDoesNotBelong) {
    auto cloves = make({4, 3});
    auto others = make({4, 3});
    Collector collector(binding, limit);
    EXPECT_EQ(collector.add(cloves[0]), Progress::needs_more);

    EXPECT_EQ(code_of(collector.add(others[1])), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(collector.add(cloves[0])), ErrorCode::already_exists);
    Bytes other_n = cloves[1];
    other_n[1] = 5;
    EXPECT_EQ(code_of(collector.add(other_n)), ErrorCode::invalid_argument);
    Bytes other_size = cloves[1];
    other_size[7] ^= 1;  // 1,000 to 1,001 bytes: the fragment is the same size
    auto refused = collector.add(other_size);
    EXPECT_EQ(code_of(refused), ErrorCode::invalid_argument);
    EXPECT_NE(refused.error().message.find("states 1001 bytes"), std::string::npos) << refused.error().message;
    EXPECT_EQ(code_of(collector.add(ByteView(cloves[1]).first(60))), ErrorCode::malformed);
    EXPECT_EQ(code_of(collector.add(split(Bytes(limit + 1), {4, 3}, id, {}, random).value()[1])),
              ErrorCode::invalid_argument);

    EXPECT_EQ(collector.held(), 1u);
    EXPECT_EQ(collector.add(cloves[1]), Progress::needs_more);
    EXPECT_EQ(collector.add(cloves[2]), Progress::complete);
    EXPECT_FALSE(collector.verify(others[3]));
    EXPECT_EQ(code_of(collector.add(others[3])), ErrorCode::invalid_argument);
    EXPECT_EQ(collector.add(cloves[3]), Progress::complete);
    EXPECT_TRUE(collector.corrupt().empty());
}

TEST_F(CollectorTest, VerifiesNothingBeforeItIsComplete) {
    auto cloves = make({4, 3});
    Collector collector(binding, limit);
    EXPECT_FALSE(collector.verify(cloves[0]));
    EXPECT_EQ(collector.add(cloves[0]), Progress::needs_more);
    EXPECT_FALSE(collector.verify(cloves[0]));
}

class CombineTest : public CollectorTest {
protected:
    Result<Recovered> run(const std::vector<Bytes>& cloves) {
        std::vector<ByteView> views(cloves.begin(), cloves.end());
        return combine(views, binding, limit);
    }
};

TEST_F(CombineTest, SaysWhatIsWrong) {
    auto cloves = make({4, 3});
    auto others = make({4, 3});
    EXPECT_EQ(run({}).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(run({cloves[0], cloves[3]}).error().code, ErrorCode::invalid_argument);
    EXPECT_NE(run({cloves[0], cloves[3]}).error().message.find("3 are needed"), std::string::npos);
    EXPECT_EQ(run({cloves[0], others[1], cloves[2]}).error().code, ErrorCode::invalid_argument);
    EXPECT_NE(run({cloves[0], others[1], cloves[2]}).error().message.find("place 1"), std::string::npos);
    EXPECT_EQ(run({cloves[0], cloves[1], cloves[1], cloves[2]}).error().code, ErrorCode::already_exists);
    EXPECT_EQ(run({cloves[0], cloves[1], cloves[2], cloves[2]}).error().code, ErrorCode::already_exists);
    EXPECT_EQ(run({cloves[0], Bytes(3), cloves[2]}).error().code, ErrorCode::malformed);
    EXPECT_EQ(run(std::vector<Bytes>(33, cloves[0])).error().code, ErrorCode::invalid_argument);
    forge(cloves[0]);
    EXPECT_EQ(run({cloves[0], cloves[1], cloves[2]}).error().code, ErrorCode::authentication);
    forge(cloves[1]);
    EXPECT_EQ(run(cloves).error().code, ErrorCode::authentication);
}

// Random thresholds, sizes, orders and numbers of wrong cloves within what is promised: always the message, always
// exactly the wrong ones named.
TEST_F(CombineTest, NamesExactlyTheWrongOnes) {
    for (int round = 0; round < 400; ++round) {
        std::uint8_t k = static_cast<std::uint8_t>(1 + random.below(8));
        std::size_t wrong = random.below(4);  // C(8 + 3, 3) = 165 tries
        std::uint8_t n = static_cast<std::uint8_t>(k + wrong + random.below(5));
        auto cloves = make({n, k}, random.below(600));
        std::vector<std::uint8_t> order(n);
        for (std::uint8_t i = 0; i < n; ++i) order[i] = i;
        random.shuffle(order);
        std::vector<std::uint8_t> expected(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wrong));
        std::ranges::sort(expected);
        for (std::uint8_t i : expected) random.below(2) ? corrupt(cloves[i]) : forge(cloves[i]);
        random.shuffle(cloves);
        auto recovered = run(cloves);
        ASSERT_TRUE(recovered) << recovered.error().message;
        ASSERT_EQ(recovered->message, message);
        ASSERT_EQ(recovered->corrupt, expected);
    }
}

}  // namespace
}  // namespace planetserve::dispersal
