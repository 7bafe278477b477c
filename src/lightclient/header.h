// A block's header in CometBFT v0.38, and its hash.
//
// The hash is the RFC 6962 root over the 14 fields in their order, each encoded by itself: version, time and last block
// id as protobuf messages; the others as google.protobuf's StringValue, Int64Value and BytesValue, and an empty leaf
// where they are empty (CometBFT, types/block.go, Header.Hash).
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "lightclient/timestamp.h"

namespace planetserve::lightclient {

// A validator's name in blocks: the first 20 bytes of the SHA-256 of its public key.
using Address = FixedBytes<struct AddressTag, 20>;

// Which block votes are for. Both hashes have 32 bytes, or none where there is no block.
struct BlockId {
    Bytes hash;
    std::uint32_t parts = 0;  // in which the block travels
    Bytes parts_hash;

    bool operator==(const BlockId&) const = default;
};

struct Header {
    std::uint64_t block_version = 11;
    std::uint64_t app_version = 0;
    std::string chain_id;  // at most 50 bytes
    std::int64_t height = 0;
    Timestamp time;
    BlockId last_block_id;  // empty at the first height
    // Hashes have 32 bytes or none, except for the application's.
    Bytes last_commit_hash;
    Bytes data_hash;
    Bytes validators_hash;       // of this height's validators
    Bytes next_validators_hash;  // of the next height's
    Bytes consensus_hash;
    Bytes app_hash;  // of the state before this block's transactions: what block height - 1 led to; at most 64 bytes
    Bytes last_results_hash;
    Bytes evidence_hash;
    Address proposer;

    bool operator==(const Header&) const = default;
};

inline constexpr std::uint64_t block_version = 11;
inline constexpr std::size_t maximum_chain_id_size = 50;
inline constexpr std::size_t maximum_app_hash_size = 64;

// Every limit above, a height above 0, both validators' hashes present. An error names the field.
Status check(const Header& header);

// REQUIRES: check(header).
crypto::Digest hash(const Header& header);

}  // namespace planetserve::lightclient
