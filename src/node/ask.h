// One request of the Asker, over one or more attempts. Private to src/node.
#pragma once

#include "inference/resumable_stream.h"
#include "node/asker.h"

namespace planetserve::node {

class Asker::Ask final : public exchange::ClientOutput, public exchange::ClientEvents {
public:
    Ask(Asker& asker, AskNumber number, inference::Request request, inference::ReplySink& sink);
    ~Ask() override;

    // Sends the request once enough paths are up; fails when no model node is left to try.
    Status begin();
    void consumed(std::size_t bytes);
    // Closes streams; nothing is told to the sink afterwards.
    void abandon(bool tell_model_node);
    void on_timer();
    Time next_timer() const;

    void on_path_up();
    void on_path_down(std::size_t lane);
    void on_clove(std::size_t lane, ByteView clove);
    void on_stream_closed(std::size_t lane, onion::CloseReason reason);

    void send(std::size_t lane, ByteView envelope) override;
    std::size_t unsent(std::size_t lane) const override;
    void on_accepted(const NodeId& server) override;
    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void on_corrupt_lane(std::size_t lane) override;

private:
    struct LaneState {
        std::optional<StreamKey> stream;
        bool unreachable = false;  // the proxy could not reach the model node
        Time retry_at{};
    };

    // Whom to ask next, of those not tried yet; null for nobody.
    const ModelNodeInfo* choose() const;
    // The node this very request went to before, else that of its conversation.
    std::optional<NodeId> preferred() const;
    bool try_start();
    // Leaves the attempt; true when another was begun.
    bool try_another();
    // Where there is no other node either than the one that refused and the one that handed the request to it: the
    // latter is asked to keep it.
    bool try_entry_itself();
    // Where there is no other node: the same ones again after a pause. False when that was done often enough.
    bool try_again_later(const Error& error);
    // The answer broke off, or what goes on with it is another one: asks for the rest. False where that cannot be.
    bool go_on();
    void pass(const Bytes& bytes);
    void end_attempt();
    // Whose request it is counts as under way there.
    void enter_target(const ModelNodeInfo& node);
    void leave_target();
    void finish(const Bytes& last);
    void finish_with(const Error& error);
    exchange::Lane open_lane(std::size_t lane, onion::PathNumber path);
    void drop_lane(std::size_t lane);
    void replace_lanes();
    std::vector<onion::PathNumber> free_paths() const;

    Asker& asker_;
    AskNumber number_;
    inference::Request request_;
    inference::ReplySink* sink_;  // null once it was told the end
    std::vector<crypto::Digest> conversation_;
    std::set<NodeId> tried_;
    std::optional<NodeId> entry_;  // that handed the request to another
    bool keep_ = false;            // whom is asked next is to run it itself
    std::size_t attempts_ = 0;
    std::optional<ModelNodeInfo> target_;
    std::unique_ptr<exchange::Client> client_;
    std::vector<std::unique_ptr<exchange::Client>> past_clients_;  // may be on the call stack
    std::vector<LaneState> lanes_;
    std::optional<Time> waiting_until_;  // for paths
    std::size_t rounds_ = 1;
    std::optional<Time> again_at_;  // the next round begins
    std::optional<Error> last_error_;
    // Since the first head, which the sink was told.
    std::optional<inference::ResumableStream> stream_;
    bool answering_ = false;  // a head came in this attempt
    std::size_t resumptions_ = 0;
    std::size_t received_ = 0;  // bytes of this attempt's body that the client was not told to be consumed
    std::size_t passed_ = 0;    // bytes that the sink did not consume yet
};

}  // namespace planetserve::node
