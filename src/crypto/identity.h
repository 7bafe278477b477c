// A node's identity: an Ed25519 key pair (RFC 8032) whose public half is its NodeId.
#pragma once

#include <filesystem>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "crypto/agreement.h"
#include "crypto/secret.h"

namespace planetserve::crypto {

using Signature = FixedBytes<struct SignatureTag, 64>;

class Identity {
public:
    static Identity from_seed(const Secret<32>& seed);
    static Identity generate(Random& random);

    const NodeId& id() const { return id_; }
    // The 32 bytes that the key pair is derived from (RFC 8032's private key).
    Secret<32> seed() const;
    // Signs context || 0x00 || message. The context keeps signatures for one purpose from serving another.
    Signature sign(std::string_view context, ByteView message) const;
    // Signs the bytes alone, for protocols whose own format states the purpose.
    Signature sign_raw(ByteView message) const;

private:
    Identity() = default;
    NodeId id_;
    Secret<64> secret_;
};

[[nodiscard]] bool verify(const NodeId& signer, std::string_view context, ByteView message, const Signature& signature);
[[nodiscard]] bool verify_raw(const NodeId& signer, ByteView message, const Signature& signature);

// The secrets of a node on disk.
struct NodeKeys {
    Identity identity;
    AgreementKey onion;
};

// Reads the node's keys from a file, or makes keys and writes the file (mode 0600; a new directory gets 0700). Refuses
// a file that other users can read or that does not parse, with an error that says what to do; never replaces it.
Result<NodeKeys> load_or_create_keys(const std::filesystem::path& file, Random& random);

}  // namespace planetserve::crypto
