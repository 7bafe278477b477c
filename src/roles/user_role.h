// The role of a user node as the runtime drives it: the pure node, its entry relays and replay tags kept on disk, and
// what the API shows.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "adapters/api/api_server.h"
#include "config/user_config.h"
#include "node/user_node.h"
#include "roles/replay_file.h"
#include "roles/runtime.h"

namespace planetserve::roles {

class UserRole final : public RoleEvents, public adapters::ApiState {
public:
    // Frames go out through the sender: the runtime's links, or a test in front of them. The runtime and the sender
    // outlive the role.
    UserRole(Runtime& runtime, const config::UserConfig& config, wire::FrameSender& sender);

    node::UserNode& node() { return node_; }

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        node_.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { node_.on_link_down(peer); }
    void on_drained(const NodeId& peer) override { node_.on_drained(peer); }
    void on_timer() override { node_.on_timer(); }
    Time next_timer() const override { return node_.next_timer(); }
    void on_list(const committee::DirectoryList& list) override;

    // Those that answered this node come first, then those that more trusted nodes serve: a client that takes the first
    // one gets a model that works, whatever names others give to theirs.
    std::vector<adapters::ServedModel> models() override;
    Status ready() override { return node_.requests().ready(); }
    std::string problem() override;
    void on_answered(const std::string& model) override;
    std::string status_json() override;

private:
    void keep_replay_tags();

    Runtime& runtime_;
    node::UserNode node_;
    std::filesystem::path entries_file_;
    ReplayFile replay_file_;
    bool replays_kept_ = true;  // the last was written; said once where it was not
    UnixTime started_;
    std::set<std::string> answered_;  // models that gave this node an answer
};

}  // namespace planetserve::roles
