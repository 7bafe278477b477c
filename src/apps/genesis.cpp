// `planetserve id` and `planetserve genesis`: what a network of several machines begins with.

#include <fstream>
#include <iostream>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/files.h"
#include "base/words.h"
#include "committee/genesis.h"
#include "crypto/identity.h"
#include "crypto/system_random.h"
#include "local/home_nodes.h"
#include "local/local_genesis.h"
#include "local/network_home.h"
#include "roles/prompt_pool_file.h"

namespace planetserve::apps {

namespace {

// "NAME=ID@HOST:PORT"; in a committee followed by "/PORT" or "/HOST:PORT", where consensus engines connect.
Result<committee::GenesisValidator> parse_validator(const std::string& text) {
    auto wrong = [&](const std::string& why) {
        return fail(ErrorCode::invalid_argument,
                    "--validator " + text + ": " + why + "; expected NAME=ID@HOST:PORT[/CONSENSUS_PORT]");
    };
    auto equals = text.find('='), at = text.find('@');
    if (equals == std::string::npos || at == std::string::npos || at < equals) return wrong("a part is missing");
    auto id = NodeId::from_hex(text.substr(equals + 1, at - equals - 1));
    if (!id) return wrong("the id is not 64 hexadecimal digits");
    std::string place = text.substr(at + 1);
    auto slash = place.find('/');
    auto address = Endpoint::parse(place.substr(0, slash));
    if (!address) return wrong(address.error().message);
    committee::GenesisValidator validator{text.substr(0, equals), *id, 1, *address};
    if (slash == std::string::npos) return validator;
    std::string consensus = place.substr(slash + 1);
    bool port_alone = consensus.find_first_not_of("0123456789") == std::string::npos;
    if (port_alone) consensus = place.substr(0, place.rfind(':', slash) + 1) + consensus;  // on the same host
    auto engine = Endpoint::parse(consensus);
    if (!engine) return wrong("the consensus address: " + engine.error().message);
    validator.consensus_address = *engine;
    return validator;
}

}  // namespace

int id(const std::filesystem::path& home) {
    if (auto made = local::make_home(home); !made) return error_exit(made.error().message);
    crypto::SystemRandom random;
    auto keys = crypto::load_or_create_keys(home / "keys", random);
    if (!keys) return error_exit(keys.error().message);
    std::cout << keys->identity.id().hex() << "\n";
    return 0;
}

int genesis(const GenesisOptions& options) {
    if (std::filesystem::exists(options.file))
        return error_exit(options.file.string() +
                          " exists; a genesis is made once: another one would be another network");
    committee::Genesis genesis{options.chain_id, SystemClock().unix_now(), {}, {}};
    for (const std::string& text : options.validators) {
        auto validator = parse_validator(text);
        if (!validator) return error_exit(validator.error().message);
        genesis.validators.push_back(std::move(*validator));
    }
    if (options.verify) genesis.parameters.verification = local::verification_of_epoch(options.epoch_seconds);
    if (options.prompt_pool) {
        auto pool = roles::read_prompt_pool(*options.prompt_pool);
        if (!pool) return error_exit(pool.error().message);
        genesis.parameters.prompt_pool = pool->digest();
    }
    for (const auto& validator : genesis.validators)
        if (genesis.validators.size() > 1 && !validator.consensus_address)
            return error_exit("--validator " + validator.name +
                              ": several verification nodes are a committee, and each needs the port of its consensus "
                              "engine: NAME=ID@HOST:PORT/CONSENSUS_PORT");
    // Reads it as every node will.
    auto read = committee::Genesis::parse(genesis.to_json());
    if (!read) return error_exit(read.error().message);
    if (auto written = write_file(options.file, genesis.to_json() + "\n"); !written)
        return error_exit(written.error().message);
    std::cout << options.file.string() << ": the network " << options.chain_id << " of "
              << counted(genesis.validators.size(), "verification node", "verification nodes")
              << ". Every node of it needs this file, unchanged.\n";
    return 0;
}

}  // namespace planetserve::apps
