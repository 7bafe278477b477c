// A run on this node's engine, observed for its group. Private to src/node.
#pragma once

#include "inference/answer_reader.h"
#include "node/model_group.h"

namespace planetserve::node {

// A prompt as tokens. The group is told when both are there: the tokens, and the end of the run.
struct ModelGroups::SoughtTokens {
    std::optional<inference::PromptTokens> tokens;
    Bytes prompt;  // once the run is over
    bool over = false;

    void tell(ModelGroups& groups, Group& group) {
        if (!tokens || !over) return;
        group.member.on_prompt_tokens(prompt, tokens->ids, tokens->weights, groups.clock_.now());
        groups.wake_();
    }
};

class ModelGroups::WatchedRun final : public inference::Exchange, public inference::ReplySink {
public:
    WatchedRun(ModelGroups& groups, Group& group, inference::Api api, Bytes prompt, inference::ReplySink& sink);
    ~WatchedRun() override;

    Status start(inference::Request request);
    void consumed(std::size_t bytes) override { inner_->consumed(bytes); }

    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;

private:
    void seek_tokens(const inference::Request& request);
    void prefilled();
    // Tells the group what the engine did. Further calls do nothing.
    void finish();

    ModelGroups& groups_;
    Group& group_;
    Bytes prompt_;
    inference::AnswerReader reader_;
    inference::ReplySink& sink_;
    std::unique_ptr<inference::Exchange> inner_;
    routing::Member::Started begun_;
    std::shared_ptr<SoughtTokens> tokens_;  // null where the engine's cache is not followed
    std::uint64_t waiting_tokens_ = 0;      // counted in the group's queued tokens
    bool served_ = false;                   // the engine answered, it did not refuse
    bool finished_ = false;
};

}  // namespace planetserve::node
