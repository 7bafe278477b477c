#include "committee/registry.h"

#include <algorithm>

#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

// What an entry takes beside its descriptor, at most.
constexpr std::uint64_t entry_overhead = 256;

// Sequences come from the sender: any 64 bits.
std::uint64_t distance(std::uint64_t sequence, UnixTime time) {
    auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(time.milliseconds, 0));
    return sequence > now ? sequence - now : now - sequence;
}

std::string seconds(std::uint64_t milliseconds) { return std::to_string(milliseconds / 1000) + " s"; }

}  // namespace

Registry::Registry(const Genesis& genesis)
    : parameters_(genesis.parameters),
      network_(genesis.network()),
      time_(genesis.time),
      app_hash_(crypto::merkle_root({})) {}

void Registry::begin_block(std::int64_t height, UnixTime time) {
    auto gap = time - time_;
    height_ = height;
    time_ = std::max(time_, time);
    if (gap <= std::chrono::milliseconds(parameters_.renew_ms)) return;
    for (const auto& [id, known] : entries_) {
        if (!known.descriptor) continue;
        Entry entry = known;
        entry.expires = entry.expires + gap;
        put(id, std::move(entry));
    }
}

Status Registry::check(const Transaction& transaction, UnixTime time) const {
    if (transaction.network != network_)
        return fail(ErrorCode::permission_denied,
                    "a transaction for network " + transaction.network.brief() + "; this one is " + network_.brief());
    if (auto off = distance(transaction.sequence, time);
        off > static_cast<std::uint64_t>(parameters_.clock_tolerance_ms))
        return fail(ErrorCode::invalid_argument,
                    "the sender's clock is " + seconds(off) + " off; set it right and try again");
    auto found = entries_.find(transaction.sender);
    bool known = found != entries_.end();
    bool registered = known && found->second.descriptor;
    if (known && transaction.sequence <= found->second.sequence)
        return fail(ErrorCode::already_exists, "a transaction no later than one before it");
    const auto* reg = std::get_if<Register>(&transaction.body);
    if (reg == nullptr && !registered)
        return fail(ErrorCode::not_found, "node " + transaction.sender.brief() + " is not registered");
    // A node may leave at any time; it can do so but once.
    if (std::holds_alternative<Deregister>(transaction.body)) return {};
    if (known && time - found->second.updated < std::chrono::milliseconds(parameters_.update_interval_ms))
        return fail(ErrorCode::exhausted,
                    "a node may send one transaction every " + std::to_string(parameters_.update_interval_ms) + " ms");
    if (reg == nullptr) return {};
    // What is remembered of nodes that left is bounded as well.
    if ((!registered && nodes_ >= parameters_.maximum_nodes) ||
        (!known && entries_.size() / 2 >= parameters_.maximum_nodes))
        return fail(ErrorCode::exhausted, "the registry has " + std::to_string(nodes_) +
                                              " nodes, which is as many as it takes; try again later");
    if (bytes_ + reg->signed_descriptor.bytes.size() + entry_overhead > parameters_.maximum_list_bytes)
        return fail(ErrorCode::exhausted, "the registry has " + std::to_string(bytes_) +
                                              " bytes, which is as many as it takes; try again later");
    return {};
}

Status Registry::apply(const Transaction& transaction) {
    if (auto checked = check(transaction, time_); !checked) return checked;
    Entry entry;
    if (auto found = entries_.find(transaction.sender); found != entries_.end()) entry = found->second;
    entry.sequence = transaction.sequence;
    entry.updated = time_;
    entry.expires = time_ + std::chrono::milliseconds(parameters_.lease_ms);
    if (const auto* reg = std::get_if<Register>(&transaction.body)) {
        entry.descriptor = reg->descriptor;
        entry.signed_descriptor = reg->signed_descriptor;
        entry.load = {};
    } else if (const auto* renew = std::get_if<Renew>(&transaction.body)) {
        entry.load = renew->load;
    } else {
        entry.descriptor.reset();
        entry.signed_descriptor = {};
        entry.load = {};
        entry.expires = time_ + std::chrono::milliseconds(2 * parameters_.clock_tolerance_ms);
    }
    put(transaction.sender, std::move(entry));
    return {};
}

Status Registry::apply(ByteView bytes) {
    auto transaction = parse_transaction(bytes);
    if (!transaction) return std::unexpected(transaction.error());
    return apply(*transaction);
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
        entry.signed_descriptor = {};
        entry.load = {};
        entry.expires = time_ + std::chrono::milliseconds(2 * parameters_.clock_tolerance_ms);
        put(id, std::move(entry));
    }
    Changes changes;
    for (const NodeId& id : changed_) {
        auto found = leaves_.find(id);
        if (found == leaves_.end()) {
            changes.emplace(id, std::nullopt);
            continue;
        }
        found->second.hash = entry_leaf(id, found->second.value);
        changes.emplace(id, found->second.value);
    }
    if (!changed_.empty()) app_hash_ = crypto::merkle_root(leaf_hashes());
    changed_.clear();
    return changes;
}

std::optional<UnixTime> Registry::next_due() const {
    if (expiries_.empty()) return std::nullopt;
    UnixTime due = expiries_.begin()->first;
    return nodes_ == 0 ? due : std::min(due, time_ + std::chrono::milliseconds(parameters_.renew_ms / 2));
}

void Registry::put(const NodeId& id, Entry entry) {
    Bytes value = encode_entry(id, entry);
    put_encoded(id, std::move(entry), std::move(value));
}

void Registry::put_encoded(const NodeId& id, Entry entry, Bytes value) {
    auto found = entries_.find(id);
    Leaf& leaf = leaves_[id];
    if (found != entries_.end()) {
        expiries_.erase({found->second.expires, id});
        if (found->second.descriptor) --nodes_;
    }
    bytes_ = bytes_ - leaf.value.size() + value.size();
    leaf.value = std::move(value);
    if (entry.descriptor) ++nodes_;
    expiries_.emplace(entry.expires, id);
    entries_[id] = std::move(entry);
    changed_.insert(id);
}

void Registry::erase(const NodeId& id) {
    auto found = entries_.find(id);
    expiries_.erase({found->second.expires, id});
    if (found->second.descriptor) --nodes_;
    bytes_ -= leaves_.at(id).value.size();
    entries_.erase(found);
    leaves_.erase(id);
    changed_.insert(id);
}

std::vector<crypto::Digest> Registry::leaf_hashes() const {
    std::vector<crypto::Digest> hashes;
    hashes.reserve(leaves_.size());
    for (const auto& [id, leaf] : leaves_) hashes.push_back(leaf.hash);
    return hashes;
}

Bytes Registry::serialise() const {
    proto::State state;
    for (const auto& [id, leaf] : leaves_) state.add_entries(leaf.value.data(), leaf.value.size());
    Bytes bytes(state.ByteSizeLong());
    state.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

std::optional<EntryProof> Registry::prove(const NodeId& id) const {
    auto found = leaves_.find(id);
    if (found == leaves_.end()) return std::nullopt;
    auto index = static_cast<std::size_t>(std::distance(leaves_.begin(), found));
    return EntryProof{found->second.value, index, leaves_.size(), crypto::merkle_proof(leaf_hashes(), index)};
}

Status Registry::restore(const std::map<NodeId, Bytes>& values, std::int64_t height, UnixTime time) {
    std::map<NodeId, Entry> parsed;
    for (const auto& [id, value] : values) {
        auto entry = parse_entry(value);
        if (!entry) return fail(entry.error().code, "a stored state with " + entry.error().message);
        if (entry->first != id) return fail(ErrorCode::malformed, "a stored state with an entry under another's id");
        parsed.emplace(*std::move(entry));
    }
    entries_.clear();
    leaves_.clear();
    expiries_.clear();
    nodes_ = 0;
    bytes_ = 0;
    for (auto& [id, entry] : parsed) put_encoded(id, std::move(entry), values.at(id));
    for (auto& [id, leaf] : leaves_) leaf.hash = entry_leaf(id, leaf.value);
    changed_.clear();
    height_ = height;
    time_ = time;
    app_hash_ = crypto::merkle_root(leaf_hashes());
    return {};
}

Status Registry::restore(ByteView serialised, std::int64_t height, UnixTime time) {
    proto::State state;
    if (!state.ParseFromArray(serialised.data(), static_cast<int>(serialised.size())))
        return fail(ErrorCode::malformed, "a snapshot that does not parse");
    std::map<NodeId, Bytes> values;
    for (const std::string& value : state.entries()) {
        proto::Entry entry;
        auto id = entry.ParseFromString(value) ? NodeId::from(as_bytes(entry.id())) : std::nullopt;
        if (!id || !values.emplace(*id, to_bytes(value)).second)
            return fail(ErrorCode::malformed, "a snapshot with an entry without an id of its own");
    }
    return restore(values, height, time);
}

}  // namespace planetserve::committee
