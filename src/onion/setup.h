// The set-up onion: one fixed-size packet that builds a whole path in one round trip (docs/protocols/paths.md).
//
// The construction is Sphinx's (Danezis and Goldberg, 2009) with one fresh X25519 key a hop carried inside the layers
// instead of blinding: every relay removes one layer, learns its successor, and passes on a packet of the same size
// whose end it filled with its own key stream. The builder predicts that filling, so each layer's MAC covers the whole
// packet. Neither the size nor the content tells a relay how many hops came before it or follow; the time until the
// first cell comes back does (docs/threat-model.md).
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/agreement.h"
#include "crypto/secret.h"
#include "wire/path_sizes.h"

namespace planetserve::onion {

using SetupPacket = std::array<std::uint8_t, wire::setup_packet_size>;

// The symmetric keys of one hop. A relay adds the key stream of each to the cells of one direction; the last hop seals
// and opens cells with them.
struct HopKeys {
    crypto::SymmetricKey forward;
    crypto::SymmetricKey backward;
};

struct SetupHop {
    NodeId id;
    crypto::AgreementPublicKey onion_key;
};

struct BuiltSetup {
    SetupPacket packet;         // for the first hop
    std::vector<HopKeys> keys;  // one for each hop, in order
};

// Minutes since 1970: coarse, since all relays of a path see the same expiry, which helps colluding ones to match.
using ExpiryMinutes = std::uint32_t;
ExpiryMinutes expiry_minutes(UnixTime time);

// Builds the packet for a path over the given hops, the last of which is the proxy. Refuses an empty path, more than
// wire::maximum_path_length hops, a hop that occurs twice, and an onion key of small order.
Result<BuiltSetup> build_setup(std::span<const SetupHop> hops, ExpiryMinutes expiry, Random& random);

struct PeeledSetup {
    HopKeys keys;
    ExpiryMinutes expiry = 0;
    bool last = false;
    NodeId next;         // meaningless when last
    SetupPacket packet;  // for the next hop; meaningless when last
    // Of this packet at this node; a replayed packet has the same.
    std::array<std::uint8_t, 16> replay_tag{};
};

// Opens the layer meant for the node. Fails with `authentication` for a packet that is not for it or was changed.
Result<PeeledSetup> peel_setup(ByteView packet, const NodeId& self, const crypto::AgreementKey& onion_key);

}  // namespace planetserve::onion
