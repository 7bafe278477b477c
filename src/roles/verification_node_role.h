// The role of a verification node as the runtime drives it: the directory over a consensus engine, embedded or of a
// committee, and what its status endpoint shows.
#pragma once

#include "adapters/api/api_server.h"
#include "adapters/cometbft/cometbft_consensus.h"
#include "committee/directory_server.h"
#include "committee/embedded_consensus.h"
#include "roles/runtime.h"
#include "roles/verification_agent_host.h"

namespace planetserve::roles {

// What every verification node does: it answers calls, and shows its state.
class VerificationNodeRole : public RoleEvents, public adapters::ApiState {
public:
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override;
    void on_link_down(const NodeId& peer) override {
        if (agent_) agent_->on_link_down(peer);
    }
    void on_drained(const NodeId& peer) override {
        if (agent_) agent_->on_drained(peer);
    }
    void on_timer() override {
        if (agent_) agent_->on_timer();
    }
    Time next_timer() const override { return agent_ ? agent_->next_timer() : Time::max(); }
    void on_list(const committee::DirectoryList&) override {}

    std::vector<adapters::ServedModel> models() override { return {}; }
    std::string status_json() override;

    // For a network that verifies its model nodes.
    void host_agent(std::unique_ptr<VerificationAgentHost> agent) { agent_ = std::move(agent); }

protected:
    VerificationNodeRole(Runtime& runtime, committee::ConsensusEngine& engine)
        : runtime_(runtime), server_(engine, runtime.genesis()) {}
    // Adds what the endpoint shows beside id, role and calls.
    virtual void describe(boost::json::object& status) const = 0;

    Runtime& runtime_;

private:
    committee::DirectoryServer server_;
    std::unique_ptr<VerificationAgentHost> agent_;
};

// The only verification node of its network: it makes the blocks.
class LoneVerificationNode final : public VerificationNodeRole {
public:
    LoneVerificationNode(Runtime& runtime, committee::EmbeddedConsensus& engine);
    void on_timer() override;
    Time next_timer() const override { return std::min(next_, VerificationNodeRole::next_timer()); }
    Status ready() override { return {}; }

private:
    void describe(boost::json::object& status) const override;

    committee::EmbeddedConsensus& engine_;
    Time next_;
};

// One of a committee. Its consensus engine has timers of its own.
class CommitteeVerificationNode final : public VerificationNodeRole {
public:
    CommitteeVerificationNode(Runtime& runtime, adapters::CometbftConsensus& engine)
        : VerificationNodeRole(runtime, engine), engine_(engine) {}
    // Ready once it takes part in consensus and has a list to serve.
    Status ready() override;

private:
    void describe(boost::json::object& status) const override;

    adapters::CometbftConsensus& engine_;
};

}  // namespace planetserve::roles
