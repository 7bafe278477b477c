// The verifier role as the runtime drives it: the directory over an engine, embedded or of a committee, and what its
// status endpoint shows.
#pragma once

#include "adapters/api/api_server.h"
#include "adapters/cometbft/cometbft_consensus.h"
#include "apps/runtime.h"
#include "apps/verification_role.h"
#include "committee/directory_server.h"
#include "committee/embedded_consensus.h"

namespace planetserve::apps {

// What every verification node does: it answers calls, and tells its state.
class VerifierRole : public RoleEvents, public adapters::ApiState {
public:
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override;
    void on_link_down(const NodeId& peer) override {
        if (verification_) verification_->on_link_down(peer);
    }
    void on_drained(const NodeId& peer) override {
        if (verification_) verification_->on_drained(peer);
    }
    void on_timer() override {
        if (verification_) verification_->on_timer();
    }
    Time next_timer() const override { return verification_ ? verification_->next_timer() : Time::max(); }
    void on_list(const committee::DirectoryList&) override {}

    std::vector<adapters::ServedModel> models() override { return {}; }
    std::string status_json() override;

    // Of a network that verifies its model nodes.
    void verify(std::unique_ptr<VerificationRole> verification) { verification_ = std::move(verification); }

protected:
    VerifierRole(Runtime& runtime, committee::ConsensusEngine& engine) : runtime_(runtime), server_(engine) {}
    // What the endpoint says beside id, role and calls.
    virtual void describe(boost::json::object& status) const = 0;

    Runtime& runtime_;

private:
    committee::DirectoryServer server_;
    std::unique_ptr<VerificationRole> verification_;
};

// The only verification node of its network: it makes the blocks.
class EmbeddedVerifier final : public VerifierRole {
public:
    EmbeddedVerifier(Runtime& runtime, committee::EmbeddedConsensus& engine);
    void on_timer() override;
    Time next_timer() const override { return std::min(next_, VerifierRole::next_timer()); }
    Status ready() override { return {}; }

private:
    void describe(boost::json::object& status) const override;

    committee::EmbeddedConsensus& engine_;
    Time next_;
};

// One of a committee. Its engine has timers of its own.
class CommitteeVerifier final : public VerifierRole {
public:
    CommitteeVerifier(Runtime& runtime, adapters::CometbftConsensus& engine)
        : VerifierRole(runtime, engine), engine_(engine) {}
    // Takes part, and has a list to serve.
    Status ready() override;

private:
    void describe(boost::json::object& status) const override;

    adapters::CometbftConsensus& engine_;
};

}  // namespace planetserve::apps
