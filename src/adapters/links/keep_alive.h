// When a link was last heard and used, and what its silence asks for (docs/protocols/links.md). Pure: it knows the time
// of the last tick only, which is exact enough.
#pragma once

#include <optional>

#include "adapters/links/link_options.h"

namespace planetserve::adapters {

class KeepAlive {
public:
    enum class Due {
        nothing,
        ping,    // the peer was silent for long: it is asked to answer
        silent,  // it did not answer a ping in time
        idle,    // no frame but pings for long
    };
    struct Tick {
        Duration passed{};   // since the tick before
        bool quiet = false;  // nothing was heard and nothing used since then
    };

    void start(Time now) { now_ = started_ = heard_at_ = used_at_ = now; }
    // Bytes came.
    void on_heard() { heard_at_ = now_; }
    // A frame came: the peer lives, whatever the frame says.
    void on_frame() { pinged_at_.reset(); }
    // A frame other than a ping went either way.
    void on_used() { used_at_ = now_; }

    Tick tick(Time now);
    // After a tick. After `ping` it counts on a ping that goes out now.
    Due due(const LinkOptions& options);

    Duration age() const { return now_ - started_; }
    Time used_at() const { return used_at_; }
    // Of the last tick.
    Time now() const { return now_; }

private:
    Time now_{};
    Time started_{};
    Time heard_at_{};
    Time used_at_{};
    std::optional<Time> pinged_at_;
};

}  // namespace planetserve::adapters
