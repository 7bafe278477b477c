// Set-up packets from hostile hands: none that this node's key did not authenticate is accepted, and a true one,
// changed anywhere, is refused.

#include <algorithm>

#include "base/random.h"
#include "fuzz_check.h"
#include "onion/setup.h"

using namespace planetserve;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static SeededRandom random(1);
    static const auto key = crypto::AgreementKey::generate(random);
    static const auto id = random.id<NodeId>();
    static const auto true_packet = [] {
        std::vector<onion::SetupHop> hops{{id, key.public_key()},
                                          {random.id<NodeId>(), crypto::AgreementKey::generate(random).public_key()}};
        return onion::build_setup(hops, 1000, random).value().packet;
    }();
    ByteView input(data, size);
    check(!onion::peel_setup(input, id, key) ||
              std::equal(input.begin(), input.end(), true_packet.begin(), true_packet.end()),
          "only what was made for this node opens");
    onion::SetupPacket changed = true_packet;
    bool differs = false;
    for (std::size_t i = 0; i + 2 < size; i += 3) {
        std::size_t at = (static_cast<std::size_t>(input[i]) << 8 | input[i + 1]) % changed.size();
        changed[at] ^= input[i + 2];
    }
    differs = changed != true_packet;
    check(onion::peel_setup(changed, id, key).has_value() == !differs, "a changed packet is refused");
    return 0;
}
