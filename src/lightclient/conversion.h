// Conversions between this folder's types and CometBFT's messages, and helpers of the encoders. Private to this folder.
//
// CometBFT's Go code always writes a message inside another one, even an empty one. Bytes that are hashed or signed
// must be the same here, so this code always creates sub-messages with mutable_...().
#pragma once

#include "lightclient/commit.h"
#include "tendermint/types/canonical.pb.h"
#include "tendermint/types/types.pb.h"

namespace planetserve::lightclient {

namespace proto {
using tendermint::types::BlockID;
using tendermint::types::CanonicalVote;
using tendermint::types::Commit;
using tendermint::types::CommitSig;
using tendermint::types::Header;
using tendermint::types::LightBlock;
using tendermint::types::SimpleValidator;
using tendermint::types::Timestamp;
using tendermint::types::ValidatorSet;
using tendermint::version::Consensus;
}  // namespace proto

template <typename Message>
Bytes serialise(const Message& message) {
    Bytes bytes(message.ByteSizeLong());
    message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

inline void append_varint(Bytes& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
    out.push_back(static_cast<std::uint8_t>(value));
}

inline void to_proto(const Timestamp& time, proto::Timestamp& out) {
    out.set_seconds(time.seconds);
    out.set_nanos(time.nanos);
}

inline void to_proto(const BlockId& id, proto::BlockID& out) {
    out.set_hash(to_string(id.hash));
    out.mutable_part_set_header()->set_total(id.parts);
    out.mutable_part_set_header()->set_hash(to_string(id.parts_hash));
}

}  // namespace planetserve::lightclient
