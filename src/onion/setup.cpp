#include "onion/setup.h"

#include <algorithm>

#include "crypto/cipher.h"
#include "crypto/hash.h"

namespace planetserve::onion {

namespace {

using wire::maximum_path_length;
using wire::setup_hop_size;

// Packet layout: ephemeral key, MAC over the routing part, encrypted routing part.
constexpr std::size_t key_size = 32;
constexpr std::size_t mac_size = 16;
constexpr std::size_t routing_size = maximum_path_length * setup_hop_size;
static_assert(key_size + mac_size + routing_size == wire::setup_packet_size);

// Layout of one hop's routing: flags (1), expiry in minutes (4), zero (3), next id (32), its ephemeral key (32), its
// MAC (16).
constexpr std::uint8_t last_flag = 1;
constexpr std::size_t next_offset = 8;
static_assert(next_offset + NodeId::size + key_size + mac_size == setup_hop_size);

struct LayerKeys {
    crypto::SymmetricKey mac;
    crypto::SymmetricKey routing;
    HopKeys hop;
    std::array<std::uint8_t, 16> replay_tag{};
};

LayerKeys derive(const crypto::Secret<32>& shared, const crypto::AgreementPublicKey& ephemeral, const SetupHop& hop) {
    Bytes salt;
    append(salt, ephemeral.bytes());
    append(salt, hop.onion_key.bytes());
    append(salt, hop.id.bytes());
    crypto::Secret<144> material;
    crypto::hkdf_sha256(salt, shared.bytes(), "planetserve path v1", material.bytes());
    LayerKeys keys;
    ByteReader reader(material.bytes());
    for (auto* key : {&keys.mac, &keys.routing, &keys.hop.forward, &keys.hop.backward}) {
        ByteView bytes = reader.bytes(32);
        std::copy(bytes.begin(), bytes.end(), key->bytes().begin());
    }
    keys.replay_tag = reader.array<16>();
    return keys;
}

std::array<std::uint8_t, mac_size> mac_of(const crypto::SymmetricKey& key, ByteView routing) {
    auto digest = crypto::hmac_sha256(key.bytes(), routing);
    std::array<std::uint8_t, mac_size> mac;
    std::copy_n(digest.begin(), mac_size, mac.begin());
    return mac;
}

// The key stream that a hop adds to the routing part extended by one hop of zeros.
Bytes routing_stream(const crypto::SymmetricKey& key) {
    Bytes stream(routing_size + setup_hop_size);
    crypto::stream_xor(key, 0, stream);
    return stream;
}

void add(MutableByteView to, ByteView stream) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] ^= stream[i];
}

Status check_hops(std::span<const SetupHop> hops) {
    if (hops.empty() || hops.size() > maximum_path_length)
        return fail(ErrorCode::invalid_argument, "a path has 1 to " + std::to_string(maximum_path_length) +
                                                     " relays, not " + std::to_string(hops.size()));
    for (std::size_t i = 0; i < hops.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (hops[i].id == hops[j].id)
                return fail(ErrorCode::invalid_argument, "relay " + hops[i].id.brief() + " occurs twice in one path");
    return {};
}

}  // namespace

ExpiryMinutes expiry_minutes(UnixTime time) { return static_cast<ExpiryMinutes>(time.milliseconds / 60'000); }

Result<BuiltSetup> build_setup(std::span<const SetupHop> hops, ExpiryMinutes expiry, Random& random) {
    if (auto checked = check_hops(hops); !checked) return std::unexpected(checked.error());
    const std::size_t length = hops.size();
    std::vector<crypto::AgreementPublicKey> ephemerals;
    std::vector<LayerKeys> keys;
    std::vector<Bytes> streams;
    for (const SetupHop& hop : hops) {
        auto ephemeral = crypto::AgreementKey::generate(random);
        auto shared = ephemeral.agree(hop.onion_key);
        if (!shared)
            return fail(ErrorCode::invalid_argument, "relay " + hop.id.brief() + " has an onion key of small order");
        ephemerals.push_back(ephemeral.public_key());
        keys.push_back(derive(*shared, ephemeral.public_key(), hop));
        streams.push_back(routing_stream(keys.back().routing));
    }

    // The filling that the hops before the last will have shifted in when the packet reaches the last.
    Bytes filler;
    for (std::size_t i = 0; i + 1 < length; ++i) {
        filler.resize(filler.size() + setup_hop_size);
        add(filler, ByteView(streams[i]).subspan(routing_size + setup_hop_size - filler.size()));
    }

    // From the last hop back to the first, each layer around the one after it. Unused room is random: zeros would show
    // the path's length to the last hop.
    Bytes routing(routing_size);
    std::array<std::uint8_t, mac_size> mac{};
    for (std::size_t i = length; i-- > 0;) {
        const bool last = i + 1 == length;
        if (last)
            random.fill(routing);
        else
            std::copy_backward(routing.begin(), routing.end() - setup_hop_size, routing.end());
        Bytes layer;
        ByteWriter writer(layer);
        writer.u8(last ? last_flag : 0);
        writer.u32(expiry);
        writer.bytes(std::array<std::uint8_t, 3>{});
        if (last) {
            layer.resize(setup_hop_size);
        } else {
            writer.bytes(hops[i + 1].id.bytes());
            writer.bytes(ephemerals[i + 1].bytes());
            writer.bytes(mac);
        }
        std::copy(layer.begin(), layer.end(), routing.begin());
        add(routing, streams[i]);
        if (last) std::copy(filler.begin(), filler.end(), routing.end() - static_cast<std::ptrdiff_t>(filler.size()));
        mac = mac_of(keys[i].mac, routing);
    }

    BuiltSetup built;
    Bytes packet;
    append(packet, ephemerals[0].bytes());
    append(packet, mac);
    append(packet, routing);
    std::copy(packet.begin(), packet.end(), built.packet.begin());
    for (const LayerKeys& layer : keys) built.keys.push_back(layer.hop);
    return built;
}

Result<PeeledSetup> peel_setup(ByteView packet, const NodeId& self, const crypto::AgreementKey& onion_key) {
    if (packet.size() != wire::setup_packet_size) return fail(ErrorCode::malformed, "path set-up of the wrong size");
    ByteReader reader(packet);
    auto ephemeral = crypto::AgreementPublicKey::from(reader.bytes(key_size)).value();
    ByteView mac = reader.bytes(mac_size);
    ByteView routing = reader.rest();
    auto shared = onion_key.agree(ephemeral);
    if (!shared) return fail(ErrorCode::authentication, "path set-up with a key of small order");
    LayerKeys keys = derive(*shared, ephemeral, SetupHop{self, onion_key.public_key()});
    if (!equal_in_constant_time(mac, mac_of(keys.mac, routing)))
        return fail(ErrorCode::authentication,
                    "path set-up that is not for this node's current onion key, or was changed");

    Bytes opened = to_bytes(routing);
    opened.resize(routing_size + setup_hop_size);
    add(opened, routing_stream(keys.routing));
    ByteReader layer(ByteView(opened).first(setup_hop_size));
    PeeledSetup peeled;
    std::uint8_t flags = layer.u8();
    if (flags > last_flag) return fail(ErrorCode::malformed, "path set-up with flags of a later version");
    peeled.last = flags == last_flag;
    peeled.expiry = layer.u32();
    layer.bytes(3);
    peeled.next = NodeId::from(layer.bytes(NodeId::size)).value();
    ByteView next_key_and_mac = layer.rest();
    std::copy(next_key_and_mac.begin(), next_key_and_mac.end(), peeled.packet.begin());
    std::copy(opened.begin() + setup_hop_size, opened.end(), peeled.packet.begin() + key_size + mac_size);
    peeled.keys = keys.hop;
    peeled.replay_tag = keys.replay_tag;
    return peeled;
}

}  // namespace planetserve::onion
