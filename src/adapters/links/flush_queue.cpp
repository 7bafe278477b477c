#include "adapters/links/flush_queue.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace planetserve::adapters {

void FlushQueue::add(std::shared_ptr<Link> link) {
    waiting_.push_back(std::move(link));
    if (reading_ || std::exchange(posted_, true)) return;
    boost::asio::post(context_, [this, owner = lifetime_.watch()] {
        if (owner.gone()) return;
        posted_ = false;
        flush();
    });
}

void FlushQueue::flush() {
    reading_ = false;
    while (!waiting_.empty() && flushing_.empty()) {
        flushing_.swap(waiting_);
        for (const auto& link : flushing_) link->flush();
        flushing_.clear();
    }
}

}  // namespace planetserve::adapters
