#include "lightclient/light_block.h"

#include "lightclient/conversion.h"

namespace planetserve::lightclient {

namespace {

std::unexpected<Error> wrong(const std::string& what) { return fail(ErrorCode::malformed, "a light block " + what); }

Timestamp from_proto(const proto::Timestamp& message) { return {message.seconds(), message.nanos()}; }

Result<BlockId> from_proto(const proto::BlockID& message) {
    BlockId id{to_bytes(message.hash()), message.part_set_header().total(), to_bytes(message.part_set_header().hash())};
    for (const Bytes* hash : {&id.hash, &id.parts_hash})
        if (!hash->empty() && hash->size() != sizeof(crypto::Digest)) return wrong("with a block id of the wrong size");
    return id;
}

Result<Header> from_proto(const proto::Header& message) {
    Header header;
    header.block_version = message.version().block();
    header.app_version = message.version().app();
    header.chain_id = message.chain_id();
    header.height = message.height();
    header.time = from_proto(message.time());
    auto last = from_proto(message.last_block_id());
    if (!last) return std::unexpected(last.error());
    header.last_block_id = std::move(*last);
    header.last_commit_hash = to_bytes(message.last_commit_hash());
    header.data_hash = to_bytes(message.data_hash());
    header.validators_hash = to_bytes(message.validators_hash());
    header.next_validators_hash = to_bytes(message.next_validators_hash());
    header.consensus_hash = to_bytes(message.consensus_hash());
    header.app_hash = to_bytes(message.app_hash());
    header.last_results_hash = to_bytes(message.last_results_hash());
    header.evidence_hash = to_bytes(message.evidence_hash());
    auto proposer = Address::from(as_bytes(message.proposer_address()));
    if (!proposer) return wrong("with a proposer's address of the wrong size");
    header.proposer = *proposer;
    if (auto checked = check(header); !checked) return std::unexpected(checked.error());
    return header;
}

Result<CommitSignature> from_proto(const proto::CommitSig& message) {
    CommitSignature signature;
    if (message.block_id_flag() < tendermint::types::BLOCK_ID_FLAG_ABSENT ||
        message.block_id_flag() > tendermint::types::BLOCK_ID_FLAG_NIL)
        return wrong("with a vote of an unknown kind");
    signature.flag = static_cast<BlockIdFlag>(message.block_id_flag());
    signature.time = from_proto(message.timestamp());
    if (!signature.time.in_range()) return wrong("with a vote whose time is out of range");
    if (signature.flag == BlockIdFlag::absent) {
        if (!message.validator_address().empty() || !message.signature().empty())
            return wrong("with an absent vote that is signed");
        return signature;
    }
    auto validator = Address::from(as_bytes(message.validator_address()));
    auto bytes = crypto::Signature::from(as_bytes(message.signature()));
    if (!validator || !bytes) return wrong("with a vote whose validator or signature has the wrong size");
    signature.validator = *validator;
    signature.signature = *bytes;
    return signature;
}

Result<Commit> from_proto(const proto::Commit& message) {
    Commit commit{message.height(), message.round(), {}, {}};
    if (commit.height <= 0 || commit.round < 0) return wrong("with a commit of no height or round");
    auto id = from_proto(message.block_id());
    if (!id) return std::unexpected(id.error());
    commit.block_id = std::move(*id);
    if (message.signatures_size() > static_cast<int>(ValidatorSet::maximum_size)) return wrong("with too many votes");
    commit.signatures.reserve(static_cast<std::size_t>(message.signatures_size()));
    for (const auto& item : message.signatures()) {
        auto signature = from_proto(item);
        if (!signature) return std::unexpected(signature.error());
        commit.signatures.push_back(*signature);
    }
    return commit;
}

Result<ValidatorSet> from_proto(const proto::ValidatorSet& message) {
    if (message.validators_size() > static_cast<int>(ValidatorSet::maximum_size))
        return wrong("with too many validators");
    std::vector<Validator> validators;
    validators.reserve(static_cast<std::size_t>(message.validators_size()));
    for (const auto& item : message.validators()) {
        auto key = NodeId::from(as_bytes(item.pub_key().ed25519()));
        if (!key) return wrong("with a validator without an Ed25519 key");
        auto address = address_of(*key);
        if (as_bytes(item.address()).size() != Address::size || Address::from(as_bytes(item.address())) != address)
            return wrong("with a validator whose address is not that of its key");
        validators.push_back({*key, item.voting_power()});
    }
    return ValidatorSet::make(std::move(validators));
}

void to_proto(const Header& header, proto::Header& out) {
    out.mutable_version()->set_block(header.block_version);
    out.mutable_version()->set_app(header.app_version);
    out.set_chain_id(header.chain_id);
    out.set_height(header.height);
    to_proto(header.time, *out.mutable_time());
    to_proto(header.last_block_id, *out.mutable_last_block_id());
    out.set_last_commit_hash(to_string(header.last_commit_hash));
    out.set_data_hash(to_string(header.data_hash));
    out.set_validators_hash(to_string(header.validators_hash));
    out.set_next_validators_hash(to_string(header.next_validators_hash));
    out.set_consensus_hash(to_string(header.consensus_hash));
    out.set_app_hash(to_string(header.app_hash));
    out.set_last_results_hash(to_string(header.last_results_hash));
    out.set_evidence_hash(to_string(header.evidence_hash));
    out.set_proposer_address(to_string(header.proposer.bytes()));
}

void to_proto(const Commit& commit, proto::Commit& out) {
    out.set_height(commit.height);
    out.set_round(commit.round);
    to_proto(commit.block_id, *out.mutable_block_id());
    for (const CommitSignature& signature : commit.signatures) {
        auto* item = out.add_signatures();
        item->set_block_id_flag(static_cast<tendermint::types::BlockIDFlag>(signature.flag));
        to_proto(signature.time, *item->mutable_timestamp());
        if (signature.flag == BlockIdFlag::absent) continue;
        item->set_validator_address(to_string(signature.validator.bytes()));
        item->set_signature(to_string(signature.signature.bytes()));
    }
}

}  // namespace

Bytes encode(const LightBlock& block) {
    proto::LightBlock message;
    to_proto(block.header, *message.mutable_signed_header()->mutable_header());
    to_proto(block.commit, *message.mutable_signed_header()->mutable_commit());
    auto* set = message.mutable_validator_set();
    for (std::size_t i = 0; i < block.validators.size(); ++i) {
        auto* item = set->add_validators();
        item->set_address(to_string(block.validators.address(i).bytes()));
        item->mutable_pub_key()->set_ed25519(to_string(block.validators.validators()[i].key.bytes()));
        item->set_voting_power(block.validators.validators()[i].power);
    }
    return serialise(message);
}

Result<LightBlock> parse_light_block(ByteView bytes) {
    if (bytes.size() > maximum_light_block_size) return wrong("of more than 256 KiB");
    proto::LightBlock message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return wrong("that does not parse");
    auto header = from_proto(message.signed_header().header());
    if (!header) return std::unexpected(header.error());
    auto commit = from_proto(message.signed_header().commit());
    if (!commit) return std::unexpected(commit.error());
    auto validators = from_proto(message.validator_set());
    if (!validators) return std::unexpected(validators.error());
    return LightBlock{*std::move(header), *std::move(commit), *std::move(validators)};
}

}  // namespace planetserve::lightclient
