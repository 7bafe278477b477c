#include "adapters/api/api_shared.h"

#include <boost/asio/post.hpp>

#include "adapters/api/http_session.h"

namespace planetserve::adapters {

// Closing takes a session out of the set, hence the copies.
void ApiShared::close_all() {
    std::set<HttpSession*> open = sessions;
    for (HttpSession* session : open) session->shared_from_this()->close();
}

void ApiShared::close_idle() {
    std::set<HttpSession*> open = sessions;
    for (HttpSession* session : open) session->shared_from_this()->close_if_idle();
}

void ApiShared::tell_if_empty(const boost::asio::any_io_executor& executor) {
    if (!sessions.empty() || drained.empty()) return;
    boost::asio::post(executor, [self = shared_from_this()] {
        for (auto& told : std::exchange(self->drained, {})) told();
    });
}

}  // namespace planetserve::adapters
