// What a node says of itself to the network (docs/protocols/registry.md).
#pragma once

#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/ids.h"
#include "crypto/agreement.h"
#include "crypto/hash.h"
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

struct NodeDescriptor {
    NodeId id;
    wire::Role role = wire::Role::user;
    crypto::AgreementPublicKey onion_key;
    std::vector<Endpoint> addresses;  // 1 to 4
    std::vector<ServedModel> models;  // at most 32; model nodes have at least one, others none
    std::uint32_t capacity = 0;       // requests at once, over all models
    std::string operator_name;        // at most 64 printable characters; may be empty
    std::string software;
    bool operator==(const NodeDescriptor&) const = default;
};

struct Load {
    std::uint32_t running = 0;
    std::uint32_t queued = 0;
    std::uint32_t latency_ms = 0;
    bool operator==(const Load&) const = default;
};

// Checks every limit above; an error names the field.
Status check(const NodeDescriptor& descriptor);

namespace proto {
class Descriptor;
}
void to_proto(const NodeDescriptor& descriptor, proto::Descriptor& out);
// Parses and checks.
Result<NodeDescriptor> from_proto(const proto::Descriptor& message);

}  // namespace planetserve::committee
