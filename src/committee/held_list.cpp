#include "committee/held_list.h"

#include "base/requires.h"
#include "committee/committee.pb.h"

namespace planetserve::committee {

HeldList::HeldList(const Genesis& genesis, std::chrono::milliseconds maximum_age)
    : verifier_(genesis),
      network_(genesis.network()),
      maximum_age_(maximum_age),
      clock_tolerance_(genesis.parameters.clock_tolerance_ms) {}

std::optional<std::chrono::milliseconds> HeldList::age(UnixTime now) const {
    if (!list_) return std::nullopt;
    return now - list_->header.time;
}

Status HeldList::check_header(const StateHeader& header, UnixTime now) {
    if (auto verified = verifier_.verify(header, now); !verified) return verified;
    auto age = now - header.time;
    auto seconds = [](std::chrono::milliseconds span) {
        return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(span).count());
    };
    if (age > maximum_age_)
        return fail(ErrorCode::timed_out,
                    "the list is " + seconds(age) + " s old; the verification node or this clock is wrong");
    if (-age > clock_tolerance_)
        return fail(ErrorCode::timed_out, "the list is of " + seconds(-age) +
                                              " s from now; the verification node's clock or this one is wrong");
    if (list_ && header.height < list_->header.height)
        return fail(ErrorCode::authentication, "a list of height " + std::to_string(header.height) + " after one of " +
                                                   std::to_string(list_->header.height));
    if (list_ && header.height == list_->header.height && header.app_hash != list_->header.app_hash)
        return fail(ErrorCode::authentication, "two different lists are signed for height " +
                                                   std::to_string(header.height) + "; a validator is dishonest");
    return {};
}

Status HeldList::confirm(StateHeader header) {
    REQUIRES(list_.has_value());
    if (header.app_hash != list_->header.app_hash) return fail(ErrorCode::malformed, "a header of another list");
    if (header.time >= list_->header.time) list_->header = std::move(header);
    return {};
}

Status HeldList::take(StateHeader header, Bytes state) {
    auto parsed = parse_state(state);
    if (!parsed) return std::unexpected(parsed.error());
    if (parsed->app_hash != header.app_hash)
        return fail(ErrorCode::authentication, "a list that is not the one its header signs");
    if (auto checked = check_descriptors(*parsed); !checked) return checked;
    state_ = std::move(state);
    list_ = DirectoryList{std::move(header), std::move(parsed->entries), std::move(parsed->reputations)};
    return {};
}

// Each node signed its descriptor, and no descriptor is older than the one in hand. A signature takes as long to check
// as a hundred entries to parse, so descriptors that did not change are not checked again.
Status HeldList::check_descriptors(const ParsedState& state) const {
    for (const auto& [id, entry] : state.entries) {
        if (!entry.descriptor) continue;
        const Entry* known = nullptr;
        if (list_) {
            auto found = list_->entries.find(id);
            if (found != list_->entries.end() && found->second.descriptor) known = &found->second;
        }
        if (known != nullptr && known->signed_descriptor == entry.signed_descriptor) continue;
        if (!verify_descriptor(entry.signed_descriptor, id, network_))
            return fail(ErrorCode::authentication,
                        "a list with a descriptor that node " + id.brief() + " did not sign; a validator is dishonest");
        if (known != nullptr && entry.descriptor->sequence <= known->descriptor->sequence)
            return fail(ErrorCode::authentication, "a list with an older descriptor of node " + id.brief() +
                                                       " than the one in hand; a validator is dishonest");
    }
    return {};
}

Status HeldList::adopt(ByteView kept) {
    REQUIRES(!list_.has_value());
    proto::Answer::Part part;
    if (!part.ParseFromArray(kept.data(), static_cast<int>(kept.size())))
        return fail(ErrorCode::malformed, "the kept list does not parse");
    auto header = from_proto(part.header());
    if (!header) return std::unexpected(header.error());
    if (auto verified = verifier_.adopt(*header); !verified) return verified;
    return take(std::move(*header), to_bytes(part.bytes()));
}

Bytes HeldList::keep() const {
    if (!list_) return {};
    proto::Answer::Part part;
    to_proto(list_->header, *part.mutable_header());
    part.set_total(state_.size());
    part.set_bytes(to_string(state_));
    return to_bytes(part.SerializeAsString());
}

}  // namespace planetserve::committee
