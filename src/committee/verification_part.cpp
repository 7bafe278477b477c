#include "committee/verification_part.h"

#include "base/requires.h"
#include "crypto/merkle.h"
#include "verification/leaf_keys.h"

namespace planetserve::committee {

crypto::Digest state_leaf(ByteView key, ByteView value) {
    REQUIRES(key.size() <= 127);  // the varint of the length has one byte
    Bytes leaf;
    leaf.reserve(2 + key.size() + sizeof(crypto::Digest));
    leaf.push_back(static_cast<std::uint8_t>(key.size()));
    append(leaf, key);
    auto digest = crypto::sha256(value);
    leaf.push_back(static_cast<std::uint8_t>(digest.size()));
    append(leaf, digest);
    return crypto::leaf_hash(leaf);
}

std::optional<verification::State> make_verification(const Genesis& genesis) {
    if (!genesis.parameters.verification) return std::nullopt;
    std::vector<verification::Verifier> verifiers;
    for (const auto& validator : genesis.validators) verifiers.push_back({validator.id, validator.power});
    return std::optional<verification::State>(std::in_place,
                                              verification::Chain{genesis.chain_id, genesis.network(), genesis.time},
                                              verifiers, *genesis.parameters.verification);
}

void VerificationHashes::apply(const verification::Changes& changes) {
    for (const auto& [key, value] : changes) {
        if (value)
            hashes_[key] = state_leaf(key, *value);
        else
            hashes_.erase(key);
    }
}

void VerificationHashes::reset(const verification::Leaves& leaves) {
    hashes_.clear();
    for (const auto& [key, value] : leaves) hashes_[key] = state_leaf(key, value);
}

void VerificationHashes::append_to(std::vector<crypto::Digest>& hashes) const {
    for (const auto& [key, hash] : hashes_) hashes.push_back(hash);
}

verification::Millionths Reputations::of(const NodeId& node) const {
    auto found = standings.find(node);
    return found == standings.end() ? parameters.initial : found->second.reputation;
}

bool is_trusted(const std::optional<Reputations>& reputations, const NodeId& node) {
    return !reputations || reputations->trusted(node);
}

Result<std::optional<Reputations>> read_reputations(const verification::Leaves& leaves) {
    if (leaves.empty()) return std::nullopt;
    auto found = leaves.find(verification::leaf_key("parameters"));
    if (found == leaves.end()) return fail(ErrorCode::malformed, "a state of verification without its parameters");
    auto parameters = verification::parse_parameters(found->second);
    if (!parameters) return std::unexpected(parameters.error());
    Reputations reputations{*parameters, {}};
    const Bytes prefix = verification::leaf_key("node/");
    for (auto at = leaves.lower_bound(prefix); at != leaves.end(); ++at) {
        if (at->first.size() != prefix.size() + NodeId::size ||
            !std::equal(prefix.begin(), prefix.end(), at->first.begin()))
            break;
        auto standing = verification::parse_standing(at->second);
        if (!standing) return std::unexpected(standing.error());
        if (verification::leaf_key("node", standing->first) != at->first)
            return fail(ErrorCode::malformed, "a standing under another node's key");
        reputations.standings.insert(std::move(*standing));
    }
    return reputations;
}

}  // namespace planetserve::committee
