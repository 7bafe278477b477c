#include "verification/challenge_plan.h"

#include "base/requires.h"

namespace planetserve::verification {

namespace {

constexpr std::uint8_t separator[] = {0};

}  // namespace

bool ChallengePlan::challenged(const NodeId& node) const {
    if (population <= nodes) return true;
    auto digest = crypto::sha256({as_bytes("planetserve challenged node v1"), separator, output.bytes(), node.bytes()});
    auto draw = load_big_endian<std::uint64_t>(ByteView(digest).first(8));
    // draw / 2^64 < nodes / population, in whole numbers.
    __extension__ typedef unsigned __int128 Wide;
    return static_cast<Wide>(draw) * population < static_cast<Wide>(nodes) << 64;
}

PromptSeed ChallengePlan::prompt_seed(const NodeId& node, std::uint32_t index) const {
    REQUIRES(index < challenges);
    std::array<std::uint8_t, 4> number;
    store_big_endian(number, index);
    auto digest =
        crypto::sha256({as_bytes("planetserve challenge v1"), separator, output.bytes(), node.bytes(), number});
    return *PromptSeed::from(digest);
}

}  // namespace planetserve::verification
