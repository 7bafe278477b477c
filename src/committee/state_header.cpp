#include "committee/state_header.h"

#include <set>

#include "committee/committee.pb.h"
#include "lightclient/light_block.h"

namespace planetserve::committee {

namespace {

constexpr std::string_view state_context = "planetserve state v1";
constexpr int maximum_signatures = 1000;

Bytes sign_bytes(const StateHeader& header, const wire::NetworkId& network) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.bytes(network.bytes());
    writer.u64(static_cast<std::uint64_t>(header.height));
    writer.u64(static_cast<std::uint64_t>(header.time.milliseconds));
    writer.bytes(header.app_hash);
    return bytes;
}

}  // namespace

HeaderSignature sign_header(const StateHeader& header, const wire::NetworkId& network,
                            const crypto::Identity& validator) {
    return {validator.id(), validator.sign(state_context, sign_bytes(header, network))};
}

Status verify_header(const StateHeader& header, const Genesis& genesis, const wire::NetworkId& network) {
    Bytes bytes = sign_bytes(header, network);
    std::set<NodeId> counted;
    std::uint64_t power = 0;
    for (const auto& [id, signature] : header.signatures) {
        const GenesisValidator* validator = genesis.find(id);
        if (validator == nullptr || !counted.insert(id).second) continue;
        if (!crypto::verify(id, state_context, bytes, signature))
            return fail(ErrorCode::authentication,
                        "the signature of validator " + validator->name + " on the list is wrong");
        power += validator->power;
    }
    if (power * 3 <= genesis.total_power() * 2)
        return fail(ErrorCode::authentication, "the list is signed by " + std::to_string(power) + " of " +
                                                   std::to_string(genesis.total_power()) +
                                                   " voting power; more than two thirds are needed");
    return {};
}

void to_proto(const StateHeader& header, proto::StateHeader& out) {
    out.set_height(header.height);
    out.set_time_ms(header.time.milliseconds);
    out.set_app_hash(to_string(header.app_hash));
    for (const auto& signature : header.signatures) {
        auto* to = out.add_signatures();
        to->set_validator(to_string(signature.validator.bytes()));
        to->set_signature(to_string(signature.signature.bytes()));
    }
    out.set_light_block(to_string(header.light_block));
}

Result<StateHeader> from_proto(const proto::StateHeader& message) {
    StateHeader header{message.height(), UnixTime{message.time_ms()}, {}, {}};
    auto hash = FixedBytes<struct AppHashTag, 32>::from(as_bytes(message.app_hash()));
    if (!hash || message.height() < 0 || message.signatures_size() > maximum_signatures ||
        message.light_block().size() > lightclient::maximum_light_block_size)
        return fail(ErrorCode::malformed, "a header outside its limits");
    header.app_hash = hash->value;
    header.light_block = to_bytes(std::string_view(message.light_block()));
    for (const auto& item : message.signatures()) {
        auto validator = NodeId::from(as_bytes(item.validator()));
        auto signature = crypto::Signature::from(as_bytes(item.signature()));
        if (!validator || !signature) return fail(ErrorCode::malformed, "a header with a signature of the wrong size");
        header.signatures.push_back({*validator, *signature});
    }
    return header;
}

}  // namespace planetserve::committee
