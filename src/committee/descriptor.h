// A node's description of itself for the network (docs/protocols/registry.md).
#pragma once

#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/ids.h"
#include "crypto/agreement.h"
#include "crypto/identity.h"
#include "wire/hello.h"

namespace planetserve::committee {

struct ServedModel {
    std::string name;  // at most 128 of letters, digits and ._:/-
    std::uint32_t context = 0;
    std::string engine;
    bool seedable = false;
    Bytes weights_sha256;  // 32 bytes, or none when it is not known
    bool operator==(const ServedModel&) const = default;
};

// The version of what nodes say to each other above their links. Links have a version of their own (wire/hello.h).
inline constexpr std::uint32_t descriptor_protocol = 1;

struct NodeDescriptor {
    NodeId id;
    wire::Role role = wire::Role::user;
    crypto::AgreementPublicKey onion_key;
    std::vector<Endpoint> addresses;  // 1 to 4
    std::vector<ServedModel> models;  // at most 32; model nodes have at least one, others none
    std::uint32_t capacity = 0;       // requests at once, over all models
    std::string operator_name;        // at most 64 printable characters; may be empty
    std::string software;
    // Rises with every descriptor of a node (milliseconds since 1970), so that an older one cannot be put in its place.
    std::uint64_t sequence = 0;
    std::uint32_t protocol = descriptor_protocol;
    // Nodes of the same operator, at most 64. It counts where they name this node too: anybody can name anybody.
    std::vector<NodeId> family = {};
    bool operator==(const NodeDescriptor&) const = default;
};

// A descriptor as its node signed it. The bytes stay unchanged: they may hold fields of a later version.
struct SignedDescriptor {
    Bytes bytes;
    crypto::Signature signature;
    bool operator==(const SignedDescriptor&) const = default;
};

inline constexpr std::size_t maximum_descriptor_size = 12 * 1024;

struct Load {
    std::uint32_t running = 0;
    std::uint32_t queued = 0;
    std::uint32_t latency_ms = 0;
    bool operator==(const Load&) const = default;
};

// Checks every limit above. The error names the field.
Status check(const NodeDescriptor& descriptor);
// Whether all addresses are IP addresses, as a registration must have them: what a stranger named would be resolved by
// everybody. Not part of check(), since lists may hold descriptors of before this rule.
Status check_addresses(const NodeDescriptor& descriptor);

// Parses and checks; says nothing about who wrote it.
Result<NodeDescriptor> parse_descriptor(ByteView bytes);
Bytes encode(const NodeDescriptor& descriptor);

SignedDescriptor sign_descriptor(const NodeDescriptor& descriptor, const wire::NetworkId& network,
                                 const crypto::Identity& identity);
// Whether this node signed these bytes for this network.
[[nodiscard]] bool verify_descriptor(const SignedDescriptor& descriptor, const NodeId& node,
                                     const wire::NetworkId& network);

}  // namespace planetserve::committee
