#include "adapters/links/keep_alive.h"

namespace planetserve::adapters {

KeepAlive::Tick KeepAlive::tick(Time now) {
    Tick tick{now - now_, heard_at_ != now_ && used_at_ != now_};
    now_ = now;
    return tick;
}

KeepAlive::Due KeepAlive::due(const LinkOptions& options) {
    if (pinged_at_ && now_ - *pinged_at_ >= options.pong_deadline) return Due::silent;
    if (now_ - used_at_ >= options.idle_close) return Due::idle;
    if (pinged_at_ || now_ - heard_at_ < options.ping_after) return Due::nothing;
    pinged_at_ = now_;
    return Due::ping;
}

}  // namespace planetserve::adapters
