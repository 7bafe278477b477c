#include "lightclient/header.h"

#include <vector>

#include "crypto/merkle.h"
#include "lightclient/conversion.h"

namespace planetserve::lightclient {

namespace {

// google.protobuf.StringValue, BytesValue and Int64Value: field 1, left out with its default, which also is the rule
// for an empty leaf.
Bytes wrap(ByteView value) {
    Bytes out;
    if (value.empty()) return out;
    out.push_back(0x0a);
    append_varint(out, value.size());
    append(out, value);
    return out;
}

Bytes wrap(std::int64_t value) {
    Bytes out;
    if (value == 0) return out;
    out.push_back(0x08);
    append_varint(out, static_cast<std::uint64_t>(value));
    return out;
}

bool hash_or_nothing(const Bytes& bytes) { return bytes.empty() || bytes.size() == sizeof(crypto::Digest); }

}  // namespace

Status check(const Header& header) {
    auto wrong = [](std::string what) { return fail(ErrorCode::malformed, "a header whose " + std::move(what)); };
    if (header.block_version != block_version)
        return wrong("block version is " + std::to_string(header.block_version) + "; this client knows " +
                     std::to_string(block_version));
    if (header.chain_id.empty() || header.chain_id.size() > maximum_chain_id_size)
        return wrong("chain id has not 1 to 50 bytes");
    if (header.height <= 0) return wrong("height is not above 0");
    if (!header.time.in_range()) return wrong("time is out of range");
    if (!hash_or_nothing(header.last_block_id.hash) || !hash_or_nothing(header.last_block_id.parts_hash))
        return wrong("last block id has a hash of the wrong size");
    for (const Bytes* bytes : {&header.last_commit_hash, &header.data_hash, &header.consensus_hash,
                               &header.last_results_hash, &header.evidence_hash})
        if (!hash_or_nothing(*bytes)) return wrong("hashes do not all have 32 bytes or none");
    for (const Bytes* bytes : {&header.validators_hash, &header.next_validators_hash})
        if (bytes->size() != sizeof(crypto::Digest)) return wrong("validators' hashes do not have 32 bytes");
    if (header.app_hash.size() > maximum_app_hash_size) return wrong("app hash has more than 64 bytes");
    return {};
}

crypto::Digest hash(const Header& header) {
    proto::Consensus version;
    version.set_block(header.block_version);
    version.set_app(header.app_version);
    proto::Timestamp time;
    to_proto(header.time, time);
    proto::BlockID last;
    to_proto(header.last_block_id, last);
    const Bytes fields[] = {
        serialise(version),
        wrap(as_bytes(header.chain_id)),
        wrap(header.height),
        serialise(time),
        serialise(last),
        wrap(header.last_commit_hash),
        wrap(header.data_hash),
        wrap(header.validators_hash),
        wrap(header.next_validators_hash),
        wrap(header.consensus_hash),
        wrap(header.app_hash),
        wrap(header.last_results_hash),
        wrap(header.evidence_hash),
        wrap(header.proposer.bytes()),
    };
    std::vector<crypto::Digest> leaves;
    leaves.reserve(std::size(fields));
    for (const Bytes& field : fields) leaves.push_back(crypto::leaf_hash(field));
    return crypto::merkle_root(leaves);
}

}  // namespace planetserve::lightclient
