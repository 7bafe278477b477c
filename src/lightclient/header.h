// A block's header in CometBFT v0.38, and its hash.
//
// The hash is the RFC 6962 root over the 14 fields in their order. Each field is encoded by itself: version, time and
// last block id as protobuf messages, the others as google.protobuf's StringValue, Int64Value or BytesValue. An empty
// field of the second kind is an empty leaf (CometBFT, types/block.go, Header.Hash).
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "lightclient/timestamp.h"

namespace planetserve::lightclient {

// How blocks name a validator: the first 20 bytes of the SHA-256 of its public key.
using Address = FixedBytes<struct AddressTag, 20>;

// Identifies a block in votes. Both hashes have 32 bytes, or none if there is no block.
struct BlockId {
    Bytes hash;
    std::uint32_t parts = 0;  // how many parts the block is sent in
    Bytes parts_hash;

    bool operator==(const BlockId&) const = default;
};

struct Header {
    std::uint64_t block_version = 11;
    std::uint64_t app_version = 0;
    std::string chain_id;  // 1 to 50 bytes
    std::int64_t height = 0;
    Timestamp time;
    BlockId last_block_id;  // empty at the first height
    // A hash has 32 bytes or none, except for app_hash.
    Bytes last_commit_hash;
    Bytes data_hash;
    Bytes validators_hash;       // the validators of this height
    Bytes next_validators_hash;  // the validators of the next height
    Bytes consensus_hash;
    // The state before this block's transactions, so after block height - 1. At most 64 bytes.
    Bytes app_hash;
    Bytes last_results_hash;
    Bytes evidence_hash;
    Address proposer;

    bool operator==(const Header&) const = default;
};

inline constexpr std::uint64_t block_version = 11;
inline constexpr std::size_t maximum_chain_id_size = 50;
inline constexpr std::size_t maximum_app_hash_size = 64;

// Checks the limits above, block_version, a height above 0, and that both hashes of validators are present. The error
// says what is wrong.
Status check(const Header& header);

// CometBFT's hash of a header that check() accepts.
crypto::Digest hash(const Header& header);

}  // namespace planetserve::lightclient
