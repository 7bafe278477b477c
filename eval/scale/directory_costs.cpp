#include "eval/scale/directory_costs.h"

#include <algorithm>

#include "base/random.h"
#include "committee/registry.h"
#include "eval/scale/costs.h"

namespace planetserve::eval {

namespace {

using namespace committee;

// docs/protocols/registry.md, calls.
constexpr double fetch_every = 3;
constexpr double fetch_rate = 256 * 1024;
constexpr std::size_t verified = 500;

NodeDescriptor descriptor_of(const NodeId& id, wire::Role role, Random& random) {
    NodeDescriptor descriptor;
    descriptor.id = id;
    descriptor.role = role;
    random.fill(descriptor.onion_key.value);
    descriptor.addresses = {{"203.0.113.10", 7700}};
    descriptor.software = "planetserve 0.1.0";
    if (role == wire::Role::model) {
        Bytes weights(32);
        random.fill(weights);
        descriptor.models = {{"llama-3.1-8b-instruct-q4_k_m", 8192, "llama.cpp", true, weights}};
        descriptor.capacity = 4;
    }
    return descriptor;
}

template <typename Work>
double seconds_of(Work&& work) {
    const double before = processor_seconds();
    work();
    return processor_seconds() - before;
}

double verify_seconds(const wire::NetworkId& network, Random& random) {
    auto identity = crypto::Identity::generate(random);
    auto descriptor = descriptor_of(identity.id(), wire::Role::user, random);
    auto signed_descriptor = sign_descriptor(descriptor, network, identity);
    bool all = true;
    double seconds = seconds_of([&] {
        for (std::size_t i = 0; i < verified; ++i)
            all = all && verify_descriptor(signed_descriptor, identity.id(), network);
    });
    if (!all) throw std::logic_error("a signature of one's own does not verify");
    return seconds / verified;
}

}  // namespace

Result<DirectoryCost> measure_directory(std::size_t users, std::size_t models, std::size_t blocks, std::uint64_t seed) {
    SeededRandom random(seed);
    Genesis genesis;
    genesis.chain_id = "scale";
    genesis.time = UnixTime{1'800'000'000'000};
    auto validator = crypto::Identity::generate(random);
    genesis.validators = {{"verifier-1", validator.id(), 1, {"203.0.113.1", 7700}}};
    Registry registry(genesis);
    const wire::NetworkId network = genesis.network();
    UnixTime now = genesis.time;
    std::vector<NodeId> ids;
    registry.begin_block(1, now);
    for (std::size_t i = 0; i < users + models; ++i) {
        const auto id = random.id<NodeId>();
        const auto sequence = static_cast<std::uint64_t>(now.milliseconds);
        auto descriptor = descriptor_of(id, i < users ? wire::Role::user : wire::Role::model, random);
        descriptor.sequence = sequence;
        SignedDescriptor signed_descriptor{encode(descriptor), {}};
        random.fill(signed_descriptor.signature.value);
        Transaction transaction{network, id, sequence, Register{std::move(descriptor), std::move(signed_descriptor)}};
        if (auto applied = registry.apply(transaction); !applied) return std::unexpected(applied.error());
        ids.push_back(id);
    }
    (void)registry.commit();

    DirectoryCost cost;
    const double renew_seconds = static_cast<double>(genesis.parameters.renew_ms) / 1000;
    const std::size_t each = std::max<std::size_t>(1, ids.size() / static_cast<std::size_t>(renew_seconds));
    std::size_t next = 0;
    std::vector<std::uint32_t> loads(models, 0);
    Status refused;
    cost.block_seconds =
        seconds_of([&] {
            for (std::size_t block = 0; block < blocks; ++block) {
                now = now + 1s;
                registry.begin_block(static_cast<std::int64_t>(block) + 2, now);
                for (std::size_t i = 0; i < each; ++i) {
                    const NodeId& id = ids[next++ % ids.size()];
                    auto applied = registry.apply(
                        Transaction{network, id, static_cast<std::uint64_t>(now.milliseconds), Renew{{1, 0, 900}}});
                    if (!applied) refused = applied;
                }
                (void)registry.commit();
            }
        }) /
        static_cast<double>(blocks);
    if (!refused) return std::unexpected(refused.error());
    Bytes state;
    cost.serialise_seconds = seconds_of([&] { state = registry.serialise(); });
    cost.list_bytes = state.size();
    bool right = false;
    cost.client_check_seconds = seconds_of([&] {
        auto parsed = parse_state(state);
        right = parsed && parsed->app_hash == registry.app_hash();
    });
    if (!right) return fail(ErrorCode::internal, "a list does not hash to the registry's app hash");
    const auto nodes = static_cast<double>(ids.size());
    cost.first_check_seconds = verify_seconds(network, random) * nodes;
    const auto bytes = static_cast<double>(cost.list_bytes);
    cost.fetch_interval_seconds = std::max(fetch_every, bytes / fetch_rate);
    cost.client_bytes_a_second = bytes / cost.fetch_interval_seconds;
    cost.registry_bytes_a_second = cost.client_bytes_a_second * nodes;
    cost.renewals_a_second = nodes / renew_seconds;
    return cost;
}

}  // namespace planetserve::eval
