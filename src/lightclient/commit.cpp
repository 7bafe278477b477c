#include "lightclient/commit.h"

#include "base/requires.h"
#include "lightclient/conversion.h"

namespace planetserve::lightclient {

Bytes sign_bytes(const Vote& vote, std::string_view chain_id) {
    proto::CanonicalVote message;
    message.set_type(static_cast<tendermint::types::SignedMsgType>(vote.type));
    message.set_height(vote.height);
    message.set_round(vote.round);
    if (vote.block_id) {
        message.mutable_block_id()->set_hash(to_string(vote.block_id->hash));
        auto* parts = message.mutable_block_id()->mutable_part_set_header();
        parts->set_total(vote.block_id->parts);
        parts->set_hash(to_string(vote.block_id->parts_hash));
    }
    to_proto(vote.time, *message.mutable_timestamp());
    message.set_chain_id(std::string(chain_id));
    Bytes bytes;
    append_varint(bytes, message.ByteSizeLong());
    append(bytes, serialise(message));
    return bytes;
}

Bytes sign_bytes(const Commit& commit, std::size_t index, std::string_view chain_id) {
    REQUIRES(index < commit.signatures.size());
    const CommitSignature& signature = commit.signatures[index];
    Vote vote{VoteType::precommit, commit.height, commit.round, std::nullopt, signature.time};
    if (signature.flag == BlockIdFlag::commit) vote.block_id = commit.block_id;
    return sign_bytes(vote, chain_id);
}

}  // namespace planetserve::lightclient
