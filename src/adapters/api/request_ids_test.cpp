#include "adapters/api/request_ids.h"

#include <gtest/gtest.h>

namespace planetserve::adapters {
namespace {

const Bytes body = to_bytes(std::string_view("{}"));

TEST(RequestIds, AKeyGivesOneIdToEachRequest) {
    SeededRandom random(1);
    RequestIds ids(Bytes(32, 1));
    const RequestMarks marks{"/v1/completions", "Bearer a", "", "once", false};
    const IdempotencyId id = ids.id_for(marks, body, Time{}, random);
    EXPECT_EQ(ids.id_for(marks, body, Time{} + 1h, random), id);
    for (const RequestMarks& other : {RequestMarks{"/v1/messages", "Bearer a", "", "once", false},
                                      RequestMarks{"/v1/completions", "Bearer b", "", "once", false},
                                      RequestMarks{"/v1/completions", "", "Bearer a", "once", false},
                                      RequestMarks{"/v1/completions", "Bearer a", "", "twice", false}})
        EXPECT_NE(ids.id_for(other, body, Time{}, random), id);
    EXPECT_NE(ids.id_for(marks, to_bytes(std::string_view("{ }")), Time{}, random), id);
}

// Two users who send the same key and body had one id, so that the one got the other's answer.
TEST(RequestIds, TwoNodesGiveTwoIdsToOneKeyAndBody) {
    SeededRandom random(1);
    const RequestMarks marks{"/v1/completions", "", "", "once", false};
    EXPECT_NE(RequestIds(Bytes(32, 1)).id_for(marks, body, Time{}, random),
              RequestIds(Bytes(32, 2)).id_for(marks, body, Time{}, random));
}

TEST(RequestIds, ARetryOfAnOfficialClientKeepsItsId) {
    SeededRandom random(1);
    RequestIds ids(Bytes(32, 1), 4096, 10min);
    const RequestMarks first{"/v1/completions", "", "", "", false};
    const RequestMarks retry{"/v1/completions", "", "", "", true};
    const IdempotencyId id = ids.id_for(first, body, Time{}, random);
    EXPECT_EQ(ids.id_for(retry, body, Time{} + 10min - 1ms, random), id);
    EXPECT_NE(ids.id_for(retry, body, Time{} + 10min, random), id);
    EXPECT_NE(ids.id_for(first, body, Time{}, random), id) << "the same question again is another request";
}

}  // namespace
}  // namespace planetserve::adapters
