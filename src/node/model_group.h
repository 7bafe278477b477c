// One group of a ModelGroups. Private to src/node.
#pragma once

#include "crypto/hash.h"
#include "node/forward_record.h"
#include "node/model_groups.h"

namespace planetserve::node {

// Names a group in frames: the first bytes of its model's digest.
using GroupName = FixedBytes<struct GroupNameTag, wire::group_name_size>;

class ModelGroups::Group final : public routing::MemberOutput {
public:
    Group(const NodeId& self, const std::string& own_model, ModelGroupOptions own_options,
          routing::Incarnation incarnation, wire::FrameSender& sender, Random& random)
        : model(own_model),
          options(own_options),
          name(name_of(own_model)),
          member(self, own_options.member, incarnation, random, *this),
          sender_(sender) {}

    static GroupName name_of(const std::string& model) {
        auto digest = crypto::sha256(as_bytes(model));
        GroupName name;
        std::copy_n(digest.begin(), GroupName::size, name.value.begin());
        return name;
    }

    void send_sync(const NodeId& peer, ByteView message) override {
        (void)sender_.send(peer, wire::FrameType::group_sync, {name.bytes(), message});
    }
    // The engine computes prompts at this rate, by its word on one of them.
    void note_prefill(double tokens_per_second) {
        prefill_rate = prefill_rate == 0 ? tokens_per_second : prefill_rate * 7 / 8 + tokens_per_second / 8;
    }

    std::string model;
    ModelGroupOptions options;
    GroupName name;

    routing::Member member;
    std::set<NodeId> peers;
    ForwardRecord forwards;
    inference::Tokenizer* tokenizer = nullptr;  // where the engine's cache is followed
    double prefill_rate = 0;                    // tokens a second; 0 before the first word
    std::uint64_t queued_tokens = 0;            // of prompts that wait or are being computed, what the cache lacks
    ModelGroupStatus totals;

private:
    wire::FrameSender& sender_;
};

}  // namespace planetserve::node
