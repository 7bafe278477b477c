#include "committee/descriptor.h"

#include <algorithm>

#include "base/words.h"
#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

constexpr std::size_t maximum_family = 64;
constexpr std::string_view context = "planetserve descriptor v1";

bool printable_within(const std::string& text, std::size_t most) { return text.size() <= most && is_printable(text); }

bool model_name(const std::string& name) {
    return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("._:/-").find(c) != std::string_view::npos;
    });
}

std::unexpected<Error> wrong(const std::string& field, const std::string& what) {
    return fail(ErrorCode::invalid_argument, "descriptor: " + field + " " + what);
}

}  // namespace

Status check(const NodeDescriptor& descriptor) {
    if (descriptor.id.is_zero()) return wrong("id", "is missing");
    if (descriptor.role != wire::Role::user && descriptor.role != wire::Role::model)
        return wrong("role", "must be user or model");
    if (descriptor.onion_key.is_zero()) return wrong("onion_key", "is missing");
    if (crypto::has_small_order(descriptor.onion_key)) return wrong("onion_key", "is of small order");
    if (descriptor.addresses.empty() || descriptor.addresses.size() > 4) return wrong("addresses", "must be 1 to 4");
    for (const Endpoint& address : descriptor.addresses)
        if (auto parsed = Endpoint::parse(address.to_string()); !parsed)
            return wrong("addresses", parsed.error().message);
    if (descriptor.models.size() > 32) return wrong("models", "must be at most 32");
    if ((descriptor.role == wire::Role::model) == descriptor.models.empty())
        return wrong("models", descriptor.models.empty() ? "must name at least one for a model node"
                                                         : "must be empty for a user node");
    for (const ServedModel& model : descriptor.models) {
        if (!model_name(model.name))
            return wrong("models",
                         "has a name that is empty, over 128 characters, or not of letters, digits and ._:/-");
        if (!printable_within(model.engine, 64)) return wrong("models", "has an engine over 64 printable characters");
        if (std::count_if(descriptor.models.begin(), descriptor.models.end(),
                          [&](const ServedModel& other) { return other.name == model.name; }) > 1)
            return wrong("models", "has two of the name " + model.name);
        if (!model.weights_sha256.empty() && model.weights_sha256.size() != 32)
            return wrong("models", "has a weights_sha256 that is not 32 bytes");
    }
    if (descriptor.capacity > 1'000'000) return wrong("capacity", "must be at most 1,000,000");
    if (!printable_within(descriptor.operator_name, 64))
        return wrong("operator_name", "must be at most 64 printable characters");
    if (descriptor.family.size() > maximum_family) return wrong("family", "must be at most 64 nodes");
    if (!printable_within(descriptor.software, 64)) return wrong("software", "must be at most 64 printable characters");
    return {};
}

Status check_addresses(const NodeDescriptor& descriptor) {
    for (const Endpoint& address : descriptor.addresses)
        if (!address.has_ip_address())
            return wrong("addresses", "must be IP addresses, and " + address.to_string().substr(0, 300) +
                                          " is a name; a node resolves its own (advertise)");
    return {};
}

Bytes encode(const NodeDescriptor& descriptor) {
    proto::Descriptor out;
    out.set_id(to_string(descriptor.id.bytes()));
    out.set_role(static_cast<std::uint32_t>(descriptor.role));
    out.set_onion_key(to_string(descriptor.onion_key.bytes()));
    for (const Endpoint& address : descriptor.addresses) out.add_addresses(address.to_string());
    for (const ServedModel& model : descriptor.models) {
        auto* to = out.add_models();
        to->set_name(model.name);
        to->set_context(model.context);
        to->set_engine(model.engine);
        to->set_seedable(model.seedable);
        to->set_weights_sha256(to_string(model.weights_sha256));
    }
    out.set_capacity(descriptor.capacity);
    out.set_operator_name(descriptor.operator_name);
    for (const NodeId& relative : descriptor.family) out.add_family(to_string(relative.bytes()));
    out.set_software(descriptor.software);
    out.set_sequence(descriptor.sequence);
    out.set_protocol(descriptor.protocol);
    return to_bytes(out.SerializeAsString());
}

Result<NodeDescriptor> parse_descriptor(ByteView bytes) {
    if (bytes.size() > maximum_descriptor_size)
        return fail(ErrorCode::invalid_argument,
                    "descriptor: over " + std::to_string(maximum_descriptor_size) + " bytes");
    proto::Descriptor message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, "descriptor: does not parse");
    NodeDescriptor descriptor;
    auto id = NodeId::from(as_bytes(message.id()));
    auto onion_key = crypto::AgreementPublicKey::from(as_bytes(message.onion_key()));
    if (!id) return wrong("id", "must be 32 bytes");
    if (!onion_key) return wrong("onion_key", "must be 32 bytes");
    if (message.role() < 1 || message.role() > 3) return wrong("role", "is unknown");
    if (message.addresses_size() > 4) return wrong("addresses", "must be 1 to 4");
    if (message.models_size() > 32) return wrong("models", "must be at most 32");
    descriptor.id = *id;
    descriptor.role = static_cast<wire::Role>(message.role());
    descriptor.onion_key = *onion_key;
    for (const std::string& text : message.addresses()) {
        auto address = Endpoint::parse(text);
        if (!address) return wrong("addresses", address.error().message);
        descriptor.addresses.push_back(std::move(*address));
    }
    for (const auto& model : message.models())
        descriptor.models.push_back(
            {model.name(), model.context(), model.engine(), model.seedable(), to_bytes(model.weights_sha256())});
    descriptor.capacity = message.capacity();
    descriptor.operator_name = message.operator_name();
    if (static_cast<std::size_t>(message.family_size()) > maximum_family)
        return wrong("family", "must be at most 64 nodes");
    for (const std::string& text : message.family()) {
        auto relative = NodeId::from(as_bytes(text));
        if (!relative) return wrong("family", "has an id that is not 32 bytes");
        descriptor.family.push_back(*relative);
    }
    descriptor.software = message.software();
    descriptor.sequence = message.sequence();
    descriptor.protocol = message.protocol();
    if (auto checked = check(descriptor); !checked) return std::unexpected(checked.error());
    return descriptor;
}

namespace {

Bytes sign_bytes(ByteView descriptor, const wire::NetworkId& network) {
    Bytes bytes = to_bytes(network.bytes());
    append(bytes, descriptor);
    return bytes;
}

}  // namespace

SignedDescriptor sign_descriptor(const NodeDescriptor& descriptor, const wire::NetworkId& network,
                                 const crypto::Identity& identity) {
    Bytes bytes = encode(descriptor);
    auto signature = identity.sign(context, sign_bytes(bytes, network));
    return {std::move(bytes), signature};
}

bool verify_descriptor(const SignedDescriptor& descriptor, const NodeId& node, const wire::NetworkId& network) {
    return crypto::verify(node, context, sign_bytes(descriptor.bytes, network), descriptor.signature);
}

}  // namespace planetserve::committee
