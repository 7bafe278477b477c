#include "base/lifetime.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "base/detaching_handle.h"

namespace planetserve {
namespace {

TEST(Lifetime, SaysWhenTheOwnerIsGone) {
    auto owner = std::make_optional<Lifetime>();
    const Lifetime::Watch watch = owner->watch();
    EXPECT_FALSE(watch.gone());
    owner.reset();
    EXPECT_TRUE(watch.gone());
}

struct Call {
    bool detached = false;
    void detach() { detached = true; }
};

struct Exchange {
    virtual ~Exchange() = default;
};

TEST(DetachingHandle, DetachesACallThatOthersStillHold) {
    auto call = std::make_shared<Call>();
    std::unique_ptr<Exchange> handle = std::make_unique<DetachingHandle<Exchange, Call>>(call);
    EXPECT_FALSE(call->detached);
    handle.reset();
    EXPECT_TRUE(call->detached);
}

}  // namespace
}  // namespace planetserve
