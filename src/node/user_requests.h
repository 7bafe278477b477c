// The requests of a user node's owner: a Service whose engine is the overlay (docs/protocols/requests.md).
//
// Each request becomes an exchange over n of the node's paths with a model node that this chooses. Before anything was
// answered, a request whose model node cannot be reached, is full or falls silent is tried on another, with the same
// idempotency id; where there is no other, on the same one after a pause. An interrupted stream is resumed on another
// node (inference::ResumableStream). While a request runs, lanes whose paths break get new ones. Not thread-safe.
//
// It reads the clock, once for each call from outside: calls of a Service carry no time.
#pragma once

#include <map>
#include <memory>

#include "node/request_context.h"

namespace planetserve::node {

class UserRequest;

class UserRequests final : public inference::Service, public onion::PoolEvents, private RequestOwner {
public:
    // The sender, the random source and the clock outlive it.
    UserRequests(const NodeId& self, onion::PoolOptions pool, UserRequestOptions options, wire::FrameSender& sender,
                 Random& random, const Clock& clock);
    ~UserRequests() override;

    onion::PathPool& pool() { return pool_; }
    const onion::PathPool& pool() const { return pool_; }
    void update_directory(DirectoryView view);
    const DirectoryView& directory() const { return models_.directory(); }

    // Requires: the returned Exchange does not outlive this. Fails at once where too many requests are under way
    // or all paths are full (exhausted), or no node serves the model (unavailable, not_found).
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    void on_timer();
    Time next_timer() const;

    // Ok when a request could be sent now; why not otherwise.
    Status ready() const;
    // Requests under way.
    std::size_t active() const { return requests_.size(); }
    const UserRequestCounters& counters() const { return counters_; }

    void on_path_up(onion::PathNumber path) override;
    void on_path_down(onion::PathNumber path, onion::DestroyReason reason) override;
    void on_clove(onion::PathNumber path, onion::StreamId stream, Bytes clove) override;
    void on_stream_closed(onion::PathNumber path, onion::StreamId stream, onion::CloseReason reason) override;

private:
    class Handle;

    // Null when the request is over.
    UserRequest* find(RequestNumber number) const;
    // Calls a request with the time of this moment.
    template <typename Call>
    void with(RequestNumber number, Call&& call);
    void cancel(RequestNumber number);
    // Its streams are closed now; it is destroyed at the next call from outside, since it may be on the call stack.
    void retire(RequestNumber number) override;

    const Clock& clock_;
    UserRequestOptions options_;
    UserRequestCounters counters_;
    onion::PathPool pool_;
    ModelNodes models_;
    StreamIndex streams_;
    RequestContext context_;
    std::map<RequestNumber, std::unique_ptr<UserRequest>> requests_;
    std::vector<std::unique_ptr<UserRequest>> retired_;
    RequestNumber next_number_ = 1;
};

}  // namespace planetserve::node
