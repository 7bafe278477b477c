#include "committee/registry.h"

#include <algorithm>

#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

std::int64_t distance(std::uint64_t sequence, UnixTime time) {
    return static_cast<std::int64_t>(sequence) - time.milliseconds;
}

Result<std::pair<NodeId, Entry>> entry_of(const proto::Entry& message) {
    auto id = NodeId::from(as_bytes(message.id()));
    if (!id) return fail(ErrorCode::malformed, "a state whose entry has no id");
    Entry entry{std::nullopt,
                {message.load().running(), message.load().queued(), message.load().latency_ms()},
                UnixTime{message.expires_ms()},
                message.sequence()};
    if (message.has_descriptor()) {
        auto descriptor = from_proto(message.descriptor());
        if (!descriptor) return std::unexpected(descriptor.error());
        if (descriptor->id != *id) return fail(ErrorCode::malformed, "a state whose entry describes another node");
        entry.descriptor = std::move(*descriptor);
    }
    return std::pair(*id, std::move(entry));
}

void fill(const NodeId& id, const Entry& entry, proto::Entry& out) {
    out.set_id(to_string(id.bytes()));
    if (entry.descriptor) to_proto(*entry.descriptor, *out.mutable_descriptor());
    if (entry.load != Load{}) {
        out.mutable_load()->set_running(entry.load.running);
        out.mutable_load()->set_queued(entry.load.queued);
        out.mutable_load()->set_latency_ms(entry.load.latency_ms);
    }
    out.set_expires_ms(entry.expires.milliseconds);
    out.set_sequence(entry.sequence);
}

// The leaf of an entry has the form of CometBFT's value proofs: its key and the digest of its value, each with its
// length, so that proofs of single entries need no second tree.
crypto::Digest leaf_of(const NodeId& id, ByteView value) {
    Bytes leaf;
    leaf.push_back(static_cast<std::uint8_t>(NodeId::size));
    append(leaf, id.bytes());
    auto digest = crypto::sha256(value);
    leaf.push_back(static_cast<std::uint8_t>(digest.size()));
    append(leaf, digest);
    return leaf_hash(leaf);
}

crypto::Digest root_of(const std::map<NodeId, crypto::Digest>& leaves) {
    std::vector<crypto::Digest> ordered;
    ordered.reserve(leaves.size());
    for (const auto& [id, leaf] : leaves) ordered.push_back(leaf);
    return merkle_root(ordered);
}

}  // namespace

Bytes encode_entry(const NodeId& id, const Entry& entry) {
    proto::Entry message;
    fill(id, entry, message);
    return to_bytes(message.SerializeAsString());
}

Registry::Registry(const Genesis& genesis)
    : parameters_(genesis.parameters), network_(genesis.network()), time_(genesis.time), app_hash_(merkle_root({})) {}

void Registry::begin_block(std::int64_t height, UnixTime time) {
    height_ = height;
    time_ = std::max(time_, time);
}

Status Registry::check(const Transaction& transaction, UnixTime time) const {
    if (transaction.network != network_)
        return fail(ErrorCode::permission_denied,
                    "a transaction for network " + transaction.network.brief() + "; this one is " + network_.brief());
    if (std::abs(distance(transaction.sequence, time)) > parameters_.clock_tolerance_ms)
        return fail(ErrorCode::invalid_argument, "the sender's clock is " +
                                                     std::to_string(distance(transaction.sequence, time) / 1000) +
                                                     " s off; set it right and try again");
    auto found = entries_.find(transaction.sender);
    if (found != entries_.end()) {
        std::uint64_t last = found->second.sequence;
        if (transaction.sequence <= last)
            return fail(ErrorCode::already_exists, "a transaction no later than one before it");
        if (transaction.sequence - last < static_cast<std::uint64_t>(parameters_.update_interval_ms))
            return fail(ErrorCode::exhausted, "a node may send one transaction every " +
                                                  std::to_string(parameters_.update_interval_ms) + " ms");
    }
    bool registered = found != entries_.end() && found->second.descriptor;
    if (std::holds_alternative<Register>(transaction.body)) {
        if (!registered && nodes_ >= parameters_.maximum_nodes)
            return fail(ErrorCode::exhausted,
                        "the registry has " + std::to_string(nodes_) + " nodes, which is as many as it takes");
        return {};
    }
    if (!registered) return fail(ErrorCode::not_found, "node " + transaction.sender.brief() + " is not registered");
    return {};
}

Status Registry::apply(const Transaction& transaction) {
    if (auto checked = check(transaction, time_); !checked) return checked;
    Entry entry;
    if (auto found = entries_.find(transaction.sender); found != entries_.end()) entry = found->second;
    entry.sequence = transaction.sequence;
    entry.expires = time_ + std::chrono::milliseconds(parameters_.lease_ms);
    if (const auto* reg = std::get_if<Register>(&transaction.body)) {
        entry.descriptor = reg->descriptor;
        entry.load = {};
    } else if (const auto* renew = std::get_if<Renew>(&transaction.body)) {
        entry.load = renew->load;
    } else {
        entry.descriptor.reset();
        entry.load = {};
        entry.expires = time_ + std::chrono::milliseconds(2 * parameters_.clock_tolerance_ms);
    }
    put(transaction.sender, std::move(entry));
    return {};
}

Changes Registry::commit() {
    while (!expiries_.empty() && expiries_.begin()->first <= time_) {
        NodeId id = expiries_.begin()->second;
        Entry entry = entries_.at(id);
        if (!entry.descriptor) {
            erase(id);
            continue;
        }
        entry.descriptor.reset();
        entry.load = {};
        entry.expires = time_ + std::chrono::milliseconds(2 * parameters_.clock_tolerance_ms);
        put(id, std::move(entry));
    }
    Changes changes;
    for (const NodeId& id : changed_) {
        auto found = entries_.find(id);
        if (found == entries_.end()) {
            changes.emplace(id, std::nullopt);
            continue;
        }
        Bytes value = encode_entry(id, found->second);
        leaves_[id] = leaf_of(id, value);
        changes.emplace(id, std::move(value));
    }
    changed_.clear();
    app_hash_ = root_of(leaves_);
    return changes;
}

std::optional<UnixTime> Registry::next_expiry() const {
    if (expiries_.empty()) return std::nullopt;
    return expiries_.begin()->first;
}

void Registry::put(const NodeId& id, Entry entry) {
    auto found = entries_.find(id);
    if (found != entries_.end()) {
        expiries_.erase({found->second.expires, id});
        if (found->second.descriptor) --nodes_;
    }
    if (entry.descriptor) ++nodes_;
    expiries_.emplace(entry.expires, id);
    entries_[id] = std::move(entry);
    changed_.insert(id);
}

void Registry::erase(const NodeId& id) {
    auto found = entries_.find(id);
    expiries_.erase({found->second.expires, id});
    if (found->second.descriptor) --nodes_;
    entries_.erase(found);
    leaves_.erase(id);
    changed_.insert(id);
}

Bytes Registry::serialise() const {
    proto::State state;
    for (const auto& [id, entry] : entries_) fill(id, entry, *state.add_entries());
    return to_bytes(state.SerializeAsString());
}

Status Registry::restore(const std::map<NodeId, Bytes>& values, std::int64_t height, UnixTime time) {
    for (const auto& [id, value] : values) {
        proto::Entry message;
        if (!message.ParseFromArray(value.data(), static_cast<int>(value.size())))
            return fail(ErrorCode::malformed, "a stored entry does not parse");
        auto entry = entry_of(message);
        if (!entry) return std::unexpected(entry.error());
        put(entry->first, std::move(entry->second));
        leaves_[id] = leaf_of(id, value);
    }
    changed_.clear();
    height_ = height;
    time_ = time;
    app_hash_ = root_of(leaves_);
    return {};
}

Result<ParsedState> parse_state(ByteView bytes) {
    proto::State state;
    if (!state.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, "a list that does not parse");
    ParsedState parsed;
    std::vector<crypto::Digest> leaves;
    const NodeId* last = nullptr;
    for (const auto& message : state.entries()) {
        auto entry = entry_of(message);
        if (!entry) return std::unexpected(entry.error());
        if (last != nullptr && entry->first <= *last) return fail(ErrorCode::malformed, "a list out of order");
        leaves.push_back(leaf_of(entry->first, encode_entry(entry->first, entry->second)));
        last = &parsed.entries.emplace(entry->first, std::move(entry->second)).first->first;
    }
    parsed.app_hash = merkle_root(leaves);
    return parsed;
}

}  // namespace planetserve::committee
