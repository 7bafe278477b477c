#include "committee/entry.h"

#include "committee/committee.pb.h"
#include "crypto/merkle.h"

namespace planetserve::committee {

namespace {

// Of a leaf of verification.
constexpr std::size_t most_key_size = 127;

}  // namespace

Bytes encode_entry(const NodeId& id, const Entry& entry) {
    proto::Entry out;
    out.set_id(to_string(id.bytes()));
    if (entry.descriptor) {
        out.mutable_descriptor()->set_descriptor(to_string(entry.signed_descriptor.bytes));
        out.mutable_descriptor()->set_signature(to_string(entry.signed_descriptor.signature.bytes()));
    }
    if (entry.load != Load{}) {
        out.mutable_load()->set_running(entry.load.running);
        out.mutable_load()->set_queued(entry.load.queued);
        out.mutable_load()->set_latency_ms(entry.load.latency_ms);
    }
    out.set_expires_ms(entry.expires.milliseconds);
    out.set_sequence(entry.sequence);
    out.set_updated_ms(entry.updated.milliseconds);
    return to_bytes(out.SerializeAsString());
}

Result<std::pair<NodeId, Entry>> parse_entry(ByteView value) {
    proto::Entry message;
    if (!message.ParseFromArray(value.data(), static_cast<int>(value.size())))
        return fail(ErrorCode::malformed, "an entry that does not parse");
    auto id = NodeId::from(as_bytes(message.id()));
    if (!id) return fail(ErrorCode::malformed, "an entry without an id");
    Entry entry;
    entry.load = {message.load().running(), message.load().queued(), message.load().latency_ms()};
    entry.expires = UnixTime{message.expires_ms()};
    entry.sequence = message.sequence();
    entry.updated = UnixTime{message.updated_ms()};
    if (message.has_descriptor()) {
        auto descriptor = parse_descriptor(as_bytes(message.descriptor().descriptor()));
        if (!descriptor)
            return fail(descriptor.error().code,
                        "the entry of node " + id->brief() + ": " + descriptor.error().message);
        auto signature = crypto::Signature::from(as_bytes(message.descriptor().signature()));
        if (!signature) return fail(ErrorCode::malformed, "the entry of node " + id->brief() + " has no signature");
        if (descriptor->id != *id)
            return fail(ErrorCode::malformed, "the entry of node " + id->brief() + " describes another one");
        entry.descriptor = std::move(*descriptor);
        entry.signed_descriptor = {to_bytes(message.descriptor().descriptor()), *signature};
    }
    return std::pair(*id, std::move(entry));
}

crypto::Digest entry_leaf(const NodeId& id, ByteView value) { return state_leaf(id.bytes(), value); }

bool verify_entry(const NodeId& id, const EntryProof& proof, const crypto::Digest& app_hash) {
    return crypto::verify_proof(app_hash, proof.count, proof.index, entry_leaf(id, proof.value), proof.path);
}

Result<ParsedState> parse_state(ByteView bytes) {
    proto::State state;
    if (!state.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, "a list that does not parse");
    ParsedState parsed;
    std::vector<crypto::Digest> leaves;
    for (const std::string& value : state.entries()) {
        auto entry = parse_entry(as_bytes(value));
        if (!entry) return fail(entry.error().code, "a list with " + entry.error().message);
        if (!parsed.entries.empty() && entry->first <= parsed.entries.rbegin()->first)
            return fail(ErrorCode::malformed, "a list out of order");
        leaves.push_back(entry_leaf(entry->first, as_bytes(value)));
        parsed.entries.emplace_hint(parsed.entries.end(), entry->first, std::move(entry->second));
    }
    verification::Leaves verification;
    for (const auto& leaf : state.verification()) {
        Bytes key = to_bytes(leaf.key());
        if (key.size() > most_key_size || (!verification.empty() && key <= verification.rbegin()->first))
            return fail(ErrorCode::malformed, "a list whose leaves of verification are out of order");
        leaves.push_back(state_leaf(key, as_bytes(leaf.value())));
        verification.emplace_hint(verification.end(), std::move(key), to_bytes(leaf.value()));
    }
    auto reputations = read_reputations(verification);
    if (!reputations) return fail(reputations.error().code, "a list with " + reputations.error().message);
    parsed.reputations = std::move(*reputations);
    parsed.app_hash = crypto::merkle_root(leaves);
    return parsed;
}

}  // namespace planetserve::committee
