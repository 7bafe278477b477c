#include "founding.h"

#include "base/files.h"
#include "committee/genesis.h"
#include "crypto/system_random.h"
#include "verification/epochs.h"

namespace planetserve::hostile {

namespace {

constexpr int most_tries = 200'000;

bool leads(const committee::Genesis& genesis, const std::vector<crypto::Identity>& identities, std::uint64_t epochs) {
    auto seed = verification::first_seed(genesis.network());
    for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
        auto alpha = verification::alpha(genesis.chain_id, epoch, seed, verification::Purpose::draw);
        std::map<NodeId, crypto::VrfOutput> draws;
        for (const auto& identity : identities) {
            auto output = *crypto::vrf_proof_to_hash(crypto::vrf_prove(identity, alpha));
            if (!draws.empty() && output < draws.at(identities.front().id())) return false;
            draws.emplace(identity.id(), output);
        }
        seed = verification::next_seed(epoch, seed, draws);
    }
    return true;
}

}  // namespace

Status found_led_by_first(const std::filesystem::path& file, const std::vector<std::filesystem::path>& keys,
                          std::uint64_t epochs) {
    auto text = read_file(file);
    auto genesis = text ? committee::Genesis::parse(*text) : std::unexpected(text.error());
    if (!genesis) return std::unexpected(genesis.error());
    std::vector<crypto::Identity> identities;
    crypto::SystemRandom random;
    for (const auto& path : keys) {
        auto loaded = crypto::load_or_create_keys(path, random);
        if (!loaded) return std::unexpected(loaded.error());
        identities.push_back(loaded->identity);
    }
    const std::string name = genesis->chain_id;
    for (int number = 0; number < most_tries; ++number) {
        genesis->chain_id = name + "-" + std::to_string(number);
        if (leads(*genesis, identities, epochs)) return write_file(file, genesis->to_json() + "\n");
    }
    return fail(ErrorCode::not_found, "none of so many chain ids will do");
}

}  // namespace planetserve::hostile
