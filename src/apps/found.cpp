// What a network of several machines begins with: each verification node's key, and the genesis that names them.

#include <fstream>
#include <iostream>

#include "apps/commands.h"
#include "apps/network_home.h"
#include "apps/terminal.h"
#include "committee/genesis.h"
#include "crypto/identity.h"
#include "crypto/random.h"

namespace planetserve::apps {

namespace {

// "NAME=ID@HOST:PORT"
Result<committee::GenesisValidator> parse_validator(const std::string& text) {
    auto wrong = [&](const std::string& why) {
        return fail(ErrorCode::invalid_argument, "--validator " + text + ": " + why + "; expected NAME=ID@HOST:PORT");
    };
    auto equals = text.find('='), at = text.find('@');
    if (equals == std::string::npos || at == std::string::npos || at < equals) return wrong("a part is missing");
    auto id = NodeId::from_hex(text.substr(equals + 1, at - equals - 1));
    if (!id) return wrong("the id is not 64 hexadecimal digits");
    auto address = Endpoint::parse(text.substr(at + 1));
    if (!address) return wrong(address.error().message);
    return committee::GenesisValidator{text.substr(0, equals), *id, 1, *address};
}

}  // namespace

int node_id(const std::filesystem::path& home) {
    std::error_code error;
    std::filesystem::create_directories(home, error);
    if (error) return error_exit("cannot create " + home.string() + ": " + error.message());
    std::filesystem::permissions(home, std::filesystem::perms::owner_all, error);
    crypto::SystemRandom random;
    auto keys = crypto::load_or_create_keys(home / "keys", random);
    if (!keys) return error_exit(keys.error().message);
    std::cout << keys->identity.id().hex() << "\n";
    return 0;
}

int make_genesis(const GenesisOptions& options) {
    if (std::filesystem::exists(options.file))
        return error_exit(options.file.string() + " exists; a genesis is made once, since another is another network");
    committee::Genesis genesis{options.chain_id, SystemClock().unix_now(), {}, {}};
    for (const std::string& text : options.validators) {
        auto validator = parse_validator(text);
        if (!validator) return error_exit(validator.error().message);
        genesis.validators.push_back(std::move(*validator));
    }
    // Read as every node will read it.
    auto read = committee::Genesis::parse(genesis.to_json());
    if (!read) return error_exit(read.error().message);
    if (auto written = write_file(options.file, genesis.to_json() + "\n"); !written)
        return error_exit(written.error().message);
    std::cout << options.file.string() << ": the network " << options.chain_id << " of " << genesis.validators.size()
              << " verification node(s). Every node of it needs this file, unchanged.\n";
    return 0;
}

}  // namespace planetserve::apps
