// The links that have something to write. What the events of one turn write goes out together: right after the reading
// that caused them, else when the loop comes to it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "adapters/links/link.h"
#include "base/lifetime.h"

namespace planetserve::adapters {

class FlushQueue {
public:
    explicit FlushQueue(boost::asio::io_context& context) : context_(context) {}

    void add(std::shared_ptr<Link> link);
    // A link is being read; flush() follows.
    void on_reading() { reading_ = true; }
    // Flushes all. May call events of the links, which may add to it again.
    void flush();

private:
    boost::asio::io_context& context_;
    std::vector<std::shared_ptr<Link>> waiting_;
    std::vector<std::shared_ptr<Link>> flushing_;
    bool posted_ = false;
    bool reading_ = false;
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
