// The asking side of a user node: a Service whose engine is the overlay (docs/protocols/requests.md).
//
// Each request becomes an exchange over n of the node's paths with a model node it chooses. Before anything was
// answered, a request whose model node cannot be reached, is full or falls silent is tried on another, with the same
// idempotency id; where there is no other, on the same one after a pause. An answer that breaks off in the middle of a
// stream is gone on with on another (inference::ResumableStream). While it runs, lanes whose paths break get new ones.
// Not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "exchange/client.h"
#include "node/model_choice.h"
#include "onion/path_pool.h"

namespace planetserve::node {

struct AskerOptions {
    dispersal::Threshold threshold;
    std::size_t maximum_requests = 256;
    std::size_t maximum_attempts = 3;  // on different model nodes, in one round
    // When all of them could not be reached or fell silent, they are tried again.
    std::size_t maximum_rounds = 3;
    std::size_t maximum_resumptions = 3;  // of an answer that breaks off, on other nodes
    Duration round_pause = 2s;            // proxies read the list anew every few seconds
    Duration paths_deadline = 15s;        // a request waits this long for enough paths
    exchange::ClientTiming timing;
};

struct AskerCounters {
    std::uint64_t requests = 0;
    std::uint64_t retried = 0;      // on another model node, or on the same one later
    std::uint64_t resumed = 0;      // answers that had broken off
    std::uint64_t handed_over = 0;  // by the node that was asked, to another
    std::uint64_t lanes_replaced = 0;
    std::uint64_t corrupt_lanes = 0;
    std::uint64_t failed = 0;
};

class Asker final : public inference::Service, public onion::PoolEvents {
public:
    Asker(const NodeId& self, onion::PoolOptions pool, AskerOptions options, wire::FrameSender& sender, Random& random,
          const Clock& clock);
    ~Asker() override;

    onion::PathPool& pool() { return pool_; }
    const onion::PathPool& pool() const { return pool_; }
    void update_directory(DirectoryView view);
    const DirectoryView& directory() const { return directory_; }

    // REQUIRES for the Exchange: it must not outlive the Asker.
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    void on_timer();
    Time next_timer() const;

    // True when a request could be sent now; why not otherwise.
    Status ready() const;
    std::size_t requests() const { return asks_.size(); }
    const AskerCounters& counters() const { return counters_; }

    void on_path_up(onion::PathNumber path) override;
    void on_path_down(onion::PathNumber path, onion::DestroyReason reason) override;
    void on_clove(onion::PathNumber path, onion::StreamId stream, Bytes clove) override;
    void on_stream_closed(onion::PathNumber path, onion::StreamId stream, onion::CloseReason reason) override;

private:
    class Ask;
    class Handle;
    using AskNumber = std::uint64_t;
    using StreamKey = std::pair<onion::PathNumber, onion::StreamId>;

    void cancel(AskNumber number);
    // Ends a request: its streams are closed now, itself is destroyed at the next call from outside.
    void retire(AskNumber number);

    NodeId self_;
    AskerOptions options_;
    Random& random_;
    const Clock& clock_;
    onion::PathPool pool_;
    DirectoryView directory_;
    Conversations conversations_;
    Conversations placed_;                       // requests by their idempotency ids: a retry goes where the first went
    std::map<NodeId, std::uint32_t> under_way_;  // own requests at each model node
    std::map<AskNumber, std::unique_ptr<Ask>> asks_;
    std::vector<std::unique_ptr<Ask>> retired_;
    std::map<StreamKey, std::pair<AskNumber, std::size_t>> by_stream_;  // the lane that a stream is
    AskNumber next_number_ = 1;
    AskerCounters counters_;
};

}  // namespace planetserve::node
