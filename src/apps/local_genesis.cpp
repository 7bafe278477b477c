#include "apps/local_genesis.h"

#include "apps/process.h"
#include "committee/genesis.h"
#include "crypto/identity.h"
#include "crypto/random.h"

namespace planetserve::apps {

Status ensure_local_genesis(const NetworkHome& home, const NetworkFile& network) {
    if (std::filesystem::exists(home.genesis())) return {};
    crypto::SystemRandom random;
    SystemClock clock;
    committee::Genesis genesis{
        "local-" + to_hex(random.id<FixedBytes<struct ChainTag, 4>>().bytes()), clock.unix_now(), {}, {}};
    std::size_t verifiers = 0;
    for (const NetworkNode& node : network.nodes) {
        if (node.role != "verifier") continue;
        if (++verifiers > 1)
            return fail(ErrorCode::invalid_argument,
                        "a committee of more than one verification node is not built yet; leave --verifiers at 1");
        auto keys = crypto::load_or_create_keys(home.node(node.name) / "keys", random);
        if (!keys) return std::unexpected(keys.error());
        auto port = free_port();
        if (!port) return std::unexpected(port.error());
        Endpoint address{"127.0.0.1", *port};
        genesis.validators.push_back({node.name, keys->identity.id(), 1, address});
        std::string config = "# Written by planetserve up.\nhome: \"" + home.node(node.name).string() +
                             "\"\ngenesis: \"" + home.genesis().string() + "\"\nlisten: \"" + address.to_string() +
                             "\"\n";
        if (auto written = write_file(home.config(node.name), config); !written) return written;
    }
    return write_file(home.genesis(), genesis.to_json() + "\n");
}

}  // namespace planetserve::apps
