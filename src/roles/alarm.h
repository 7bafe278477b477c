// A timer that follows a moving deadline: it asks when something is next due, and wakes its owner then.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "base/time.h"

namespace planetserve::roles {

class Alarm {
public:
    // `next` says when something is due, Time::max() for nothing; `due` is called then. Both are called on the thread
    // of the io_context, which outlives the alarm.
    Alarm(boost::asio::io_context& context, std::function<Time()> next, std::function<void()> due);

    // The deadline may have moved: asks again. It only ever wakes too early, never too late.
    void look();

private:
    std::function<Time()> next_;
    std::function<void()> due_;
    boost::asio::steady_timer timer_;
    Time armed_ = Time::max();
};

}  // namespace planetserve::roles
