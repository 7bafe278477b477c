// A node's identity: an Ed25519 key pair (RFC 8032). The public key is the NodeId.
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
    // The 32 bytes from which the key pair is derived (the private key of RFC 8032).
    Secret<32> seed() const;
    // Signs context || 0x00 || message. The context prevents use of a signature for another purpose.
    Signature sign(std::string_view context, ByteView message) const;
    // Signs the message alone, for a protocol whose format states the purpose.
    Signature sign_raw(ByteView message) const;

private:
    Identity() = default;
    NodeId id_;
    Secret<64> secret_;
};

[[nodiscard]] bool verify(const NodeId& signer, std::string_view context, ByteView message, const Signature& signature);
[[nodiscard]] bool verify_raw(const NodeId& signer, ByteView message, const Signature& signature);

// The secrets that a node keeps on disk.
struct NodeKeys {
    Identity identity;
    AgreementKey onion;
};

// Reads the node's keys from a file. If there is no file, makes keys and writes them (mode 0600; a new directory gets
// 0700). Refuses a file that does not parse or whose mode lets other users in, with an error that says what to do.
// Never replaces a file.
Result<NodeKeys> load_or_create_keys(const std::filesystem::path& file, Random& random);

}  // namespace planetserve::crypto
