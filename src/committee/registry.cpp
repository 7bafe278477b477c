#include "committee/registry.h"

#include <algorithm>

#include "base/requires.h"
#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

// The most that an entry takes beside its descriptor, in bytes.
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
      verification_(make_verification(genesis)) {
    // The first block's changes hold these leaves.
    if (verification_) verification_hashes_.reset(verification_->leaves());
    app_hash_ = crypto::merkle_root(leaf_hashes());
}

void Registry::begin_block(std::int64_t height, UnixTime time) {
    REQUIRES(height > height_);
    auto gap = time - time_;
    height_ = height;
    time_ = std::max(time_, time);
    if (verification_) verification_->begin_block(time_, table_.model_nodes());
    if (gap <= std::chrono::milliseconds(parameters_.renew_ms)) return;
    for (const auto& [id, known] : table_.entries()) {
        if (!known.descriptor) continue;
        Entry entry = known;
        entry.expires = entry.expires + gap;
        table_.put(id, std::move(entry));
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
    if (const auto* verify = std::get_if<Verify>(&transaction.body)) {
        // The epoch of a verification transaction stops replays, not the sequence.
        if (verification_) return verification_->check(verify->transaction, time);
        return fail(ErrorCode::not_found, "this network does not verify its model nodes");
    }
    const Entry* known = table_.find(transaction.sender);
    if (known != nullptr && transaction.sequence <= known->sequence)
        return fail(ErrorCode::already_exists, "a transaction no later than one before it");
    const auto* reg = std::get_if<Register>(&transaction.body);
    if (reg == nullptr && (known == nullptr || !known->descriptor))
        return fail(ErrorCode::not_found, "node " + transaction.sender.brief() + " is not registered");
    // A node may leave at any time, but only once.
    if (std::holds_alternative<Deregister>(transaction.body)) return {};
    if (known != nullptr && time - known->updated < std::chrono::milliseconds(parameters_.update_interval_ms))
        return fail(ErrorCode::exhausted,
                    "a node may send one transaction every " + std::to_string(parameters_.update_interval_ms) + " ms");
    if (reg == nullptr) return {};
    if (auto addresses = check_addresses(reg->descriptor); !addresses) return addresses;
    return check_room(*reg, known);
}

Status Registry::check_room(const Register& reg, const Entry* known) const {
    const bool registered = known != nullptr && known->descriptor;
    // Half of all entries may be nodes that left.
    if ((!registered && table_.nodes() >= parameters_.maximum_nodes) ||
        (known == nullptr && table_.entries().size() / 2 >= parameters_.maximum_nodes))
        return fail(ErrorCode::exhausted, "the registry has " + std::to_string(table_.nodes()) +
                                              " nodes, which is as many as it takes; try again later");
    if (table_.bytes() + reg.signed_descriptor.bytes.size() + entry_overhead > parameters_.maximum_list_bytes)
        return fail(ErrorCode::exhausted, "the registry has " + std::to_string(table_.bytes()) +
                                              " bytes, which is as many as it takes; try again later");
    return {};
}

Status Registry::apply(const Transaction& transaction) {
    if (auto checked = check(transaction, time_); !checked) return checked;
    if (const auto* verify = std::get_if<Verify>(&transaction.body)) return verification_->apply(verify->transaction);
    const Entry* known = table_.find(transaction.sender);
    Entry entry = known == nullptr ? Entry{} : *known;
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
        entry = left(std::move(entry));
    }
    table_.put(transaction.sender, std::move(entry));
    return {};
}

// Transactions as old as the clock tolerance are accepted, so the sequence is kept for longer than that.
Entry Registry::left(Entry entry) const {
    entry.descriptor.reset();
    entry.signed_descriptor = {};
    entry.load = {};
    entry.expires = time_ + std::chrono::milliseconds(2 * parameters_.clock_tolerance_ms);
    return entry;
}

Status Registry::apply(ByteView bytes) {
    auto transaction = parse_transaction(bytes);
    if (!transaction) return std::unexpected(transaction.error());
    return apply(*transaction);
}

Changes Registry::commit() {
    for (auto next = table_.next_expiry(); next && next->first <= time_; next = table_.next_expiry()) {
        const NodeId id = next->second;
        const Entry& entry = *table_.find(id);
        if (entry.descriptor)
            table_.put(id, left(entry));
        else
            table_.erase(id);
    }
    Changes changes = table_.commit();
    if (verification_) {
        auto verified = verification_->commit();
        verification_hashes_.apply(verified);
        changes.merge(verified);
    }
    if (!changes.empty()) app_hash_ = crypto::merkle_root(leaf_hashes());
    return changes;
}

std::optional<UnixTime> Registry::next_due() const {
    std::optional<UnixTime> due;
    auto by = [&](UnixTime time) { due = due ? std::min(*due, time) : time; };
    if (auto expiry = table_.next_expiry()) by(expiry->first);
    if (table_.nodes() > 0) by(time_ + std::chrono::milliseconds(parameters_.renew_ms / 2));
    if (verification_) by(verification_->next_due());
    return due;
}

std::vector<crypto::Digest> Registry::leaf_hashes() const {
    std::vector<crypto::Digest> hashes;
    hashes.reserve(table_.leaves().size());
    for (const auto& [id, leaf] : table_.leaves()) hashes.push_back(leaf.hash);
    verification_hashes_.append_to(hashes);
    return hashes;
}

Values Registry::values() const {
    Values values;
    for (const auto& [id, leaf] : table_.leaves()) values.emplace(to_bytes(id.bytes()), leaf.value);
    if (verification_) values.insert(verification_->leaves().begin(), verification_->leaves().end());
    return values;
}

Bytes Registry::serialise() const {
    proto::State state;
    for (const auto& [id, leaf] : table_.leaves()) state.add_entries(leaf.value.data(), leaf.value.size());
    if (verification_)
        for (const auto& [key, value] : verification_->leaves()) {
            auto* leaf = state.add_verification();
            leaf->set_key(key.data(), key.size());
            leaf->set_value(value.data(), value.size());
        }
    Bytes bytes(state.ByteSizeLong());
    state.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

std::optional<EntryProof> Registry::prove(const NodeId& id) const {
    auto found = table_.leaves().find(id);
    if (found == table_.leaves().end()) return std::nullopt;
    auto index = static_cast<std::size_t>(std::distance(table_.leaves().begin(), found));
    auto hashes = leaf_hashes();
    return EntryProof{found->second.value, index, hashes.size(), crypto::merkle_proof(hashes, index)};
}

Status Registry::restore(const Values& values, std::int64_t height, UnixTime time) {
    std::map<NodeId, Entry> parsed;
    verification::Leaves verified;
    for (const auto& [key, value] : values) {
        auto id = NodeId::from(key);
        if (!id) {
            verified.emplace(key, value);
            continue;
        }
        auto entry = parse_entry(value);
        if (!entry) return fail(entry.error().code, "a stored state with " + entry.error().message);
        if (entry->first != *id) return fail(ErrorCode::malformed, "a stored state with an entry under another's id");
        parsed.emplace(*std::move(entry));
    }
    if (verified.empty() != !verification_)
        return fail(ErrorCode::malformed, "a stored state of a network with other parameters of verification");
    if (verification_) {
        if (auto restored = verification_->restore(verified, time); !restored) return restored;
        verification_hashes_.reset(verified);
    }
    table_ = {};
    for (auto& [id, entry] : parsed) table_.put_encoded(id, std::move(entry), values.at(to_bytes(id.bytes())));
    (void)table_.commit();
    height_ = height;
    time_ = time;
    app_hash_ = crypto::merkle_root(leaf_hashes());
    return {};
}

Status Registry::restore(ByteView serialised, std::int64_t height, UnixTime time) {
    proto::State state;
    if (!state.ParseFromArray(serialised.data(), static_cast<int>(serialised.size())))
        return fail(ErrorCode::malformed, "a snapshot that does not parse");
    Values values;
    for (const std::string& value : state.entries()) {
        proto::Entry entry;
        auto id = entry.ParseFromString(value) ? NodeId::from(as_bytes(entry.id())) : std::nullopt;
        if (!id || !values.emplace(to_bytes(id->bytes()), to_bytes(value)).second)
            return fail(ErrorCode::malformed, "a snapshot with an entry without an id of its own");
    }
    for (const auto& leaf : state.verification())
        if (leaf.key().size() == NodeId::size || !values.emplace(to_bytes(leaf.key()), to_bytes(leaf.value())).second)
            return fail(ErrorCode::malformed, "a snapshot with a leaf of verification without a key of its own");
    return restore(values, height, time);
}

}  // namespace planetserve::committee
