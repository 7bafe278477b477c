#include "local/local_genesis.h"

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/requires.h"
#include "committee/genesis.h"
#include "crypto/identity.h"
#include "crypto/system_random.h"
#include "local/ports.h"

namespace planetserve::local {

verification::Parameters verification_of_epoch(std::uint32_t seconds) {
    verification::Parameters parameters;
    REQUIRES(seconds >= 10);
    const std::int64_t percent = std::int64_t{seconds} * 10;  // of the epoch, in ms
    if (percent * 100 >= parameters.epoch_ms) {
        // The usual phases; the rest of the time the committee idles.
        parameters.epoch_ms = percent * 100;
        return parameters;
    }
    parameters.epoch_ms = percent * 100;
    parameters.draw_ms = 5 * percent;
    parameters.leader_ms = 26 * percent;
    parameters.leaders = 2;
    parameters.recheck_ms = 16 * percent;
    parameters.commit_ms = 14 * percent;
    parameters.reveal_ms = 8 * percent;
    return parameters;
}

Status ensure_local_genesis(const NetworkHome& home, const NetworkFile& network,
                            const std::optional<LocalVerification>& verification) {
    if (std::filesystem::exists(home.genesis())) return {};
    crypto::SystemRandom random;
    SystemClock clock;
    committee::Genesis genesis{
        "local-" + to_hex(random.id<FixedBytes<struct ChainTag, 4>>().bytes()), clock.unix_now(), {}, {}};
    if (verification) genesis.parameters.verification = verification->parameters;
    auto verifiers = std::count_if(network.nodes.begin(), network.nodes.end(),
                                   [](const NetworkNode& node) { return node.role == "verifier"; });
    std::set<std::uint16_t> taken;
    auto new_port = [&]() -> Result<std::uint16_t> {
        while (true) {
            auto port = lasting_port(random);
            if (!port || taken.insert(*port).second) return port;
        }
    };
    for (const NetworkNode& node : network.nodes) {
        if (node.role != "verifier") continue;
        auto keys = crypto::load_or_create_keys(home.node(node.name) / "keys", random);
        if (!keys) return std::unexpected(keys.error());
        auto port = new_port();
        if (!port) return std::unexpected(port.error());
        Endpoint address{"127.0.0.1", *port};
        genesis.validators.push_back({node.name, keys->identity.id(), 1, address});
        if (verifiers > 1) {
            auto consensus = new_port();
            if (!consensus) return std::unexpected(consensus.error());
            genesis.validators.back().consensus_address = Endpoint{"127.0.0.1", *consensus};
        }
        std::string config =
            home.config_head(node.name, "planetserve up", address.to_string()) + "status:\n  listen: \"127.0.0.1:0\"\n";
        if (verification) config += "models:\n";
        if (verification)
            for (const std::string& model : verification->models)
                config += "  - {name: " + model + ", catalogue: " + model + ", context: 2048}\n";
        if (auto written = write_file(home.config(node.name), config); !written) return written;
    }
    return write_file(home.genesis(), genesis.to_json() + "\n");
}

}  // namespace planetserve::local
