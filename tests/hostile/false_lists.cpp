#include "false_lists.h"

#include <algorithm>

#include "committee/committee.pb.h"
#include "committee/registry.h"
#include "diary.h"
#include "lightclient/light_block.h"

namespace planetserve::hostile {

namespace {

// The list without its last model node.
Bytes left_out(ByteView state) {
    committee::proto::State message;
    message.ParseFromArray(state.data(), static_cast<int>(state.size()));
    auto* entries = message.mutable_entries();
    for (int i = entries->size() - 1; i >= 0; --i) {
        committee::proto::Entry entry;
        committee::proto::Descriptor descriptor;
        entry.ParseFromString(entries->at(i));
        descriptor.ParseFromString(entry.descriptor().descriptor());
        if (descriptor.models().empty()) continue;
        entries->DeleteSubrange(i, 1);
        break;
    }
    return to_bytes(message.SerializeAsString());
}

Bytes signed_by(ByteView light_block, std::size_t many) {
    auto block = lightclient::parse_light_block(light_block).value();
    for (auto& vote : block.commit.signatures) {
        if (vote.flag != lightclient::BlockIdFlag::commit) continue;
        if (many > 0)
            --many;
        else
            vote = {};
    }
    return lightclient::encode(block);
}

}  // namespace

Result<committee::StateHeader> FalseLists::proof(UnixTime now) {
    auto header = honest_.proof(now);
    if (!header) return header;
    state_ = honest_.proven_state();
    const auto orders = orders_in(orders_);
    if (!orders.contains("stale")) old_.reset();
    for (const std::string& order : orders) {
        if (order == "stale") {
            if (!old_) old_.emplace(*header, state_);
            state_ = old_->second;
            return old_->first;
        }
        if (order.starts_with("left-out")) {
            state_ = left_out(state_);
            if (order == "left-out") return header;
            header->app_hash = committee::parse_state(state_).value().app_hash;
            if (order == "left-out-signed") return header;
            auto block = lightclient::parse_light_block(header->light_block).value();
            block.header.app_hash.assign(header->app_hash.begin(), header->app_hash.end());
            header->light_block = lightclient::encode(block);
        }
        constexpr std::string_view by = "signed-by-";
        if (order.starts_with(by))
            header->light_block = signed_by(header->light_block, std::stoul(order.substr(by.size())));
    }
    return header;
}

}  // namespace planetserve::hostile
