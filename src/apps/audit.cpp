// `planetserve audit`: replays a committee's chain from the genesis, and says what changed each reputation.

#include <bit>
#include <cstdio>
#include <iostream>

#include "adapters/cometbft/chain_reader.h"
#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/words.h"
#include "committee/audit.h"
#include "local/diagnosis.h"
#include "roles/genesis_file.h"
#include "roles/run_file.h"

namespace planetserve::apps {

namespace {

std::string decimal(verification::Millionths value) {
    char text[16];
    std::snprintf(text, sizeof(text), "%.3f", static_cast<double>(value) / verification::one);
    return text;
}

std::string describe(const std::vector<committee::AuditedVote>& votes) {
    std::string text;
    for (const auto& vote : votes)
        text += (text.empty() ? "" : ", ") + vote.verifier.brief() + " " +
                (vote.outcome == verification::Outcome::no_answer ? "no answer" : decimal(vote.credit));
    return text;
}

void print(const committee::BlockFindings& findings) {
    auto where = [&](std::uint64_t epoch) {
        return "  epoch " + std::to_string(epoch) + ", height " + std::to_string(findings.height) + ": ";
    };
    for (const auto& found : findings.equivocations)
        std::cout << where(found.epoch) << "verifier " << found.verifier.brief() << red("  said two different things")
                  << "\n";
    for (const auto& change : findings.changes)
        std::cout << where(change.epoch) << change.node.brief() << "  " << decimal(change.before) << " -> "
                  << decimal(change.after) << (change.trusted ? "" : red("  not trusted"))
                  << "  votes: " << describe(change.votes) << "\n";
}

// How each verification node voted.
void print_records(const committee::Registry& registry) {
    const auto* state = registry.verification();
    if (state == nullptr) return;
    std::cout << bold("verifiers") << "\n";
    for (const auto& [verifier, power] : state->verifiers().powers()) {
        auto record = state->record(verifier);
        std::cout << "  " << verifier.brief() << "  power " << power << ", equivocations " << record.equivocations
                  << ", of the last " << verification::record_window << " epochs far "
                  << std::popcount(record.far_epochs) << ", missed " << std::popcount(record.missed_epochs)
                  << (state->flagged(verifier) ? red("  flagged") : "") << "\n";
    }
}

Status replay(adapters::ChainReader& chain, committee::Audit& audit, std::int64_t last) {
    for (std::int64_t height = 1; height <= last; ++height) {
        auto block = chain.light_block(height, audit.validators());
        if (!block) return std::unexpected(block.error());
        auto transactions = chain.transactions(height);
        if (!transactions) return std::unexpected(transactions.error());
        auto findings = audit.add(*block, *transactions, SystemClock().unix_now());
        if (!findings) return std::unexpected(findings.error());
        print(*findings);
    }
    return {};
}

// Of a verification node of this home that runs.
std::optional<std::filesystem::path> consensus_socket(const local::NetworkHome& home,
                                                      const local::NetworkFile& network) {
    for (const local::NetworkNode& node : network.nodes) {
        auto socket = home.node(node.name) / "consensus" / "rpc.sock";
        if (node.role == "verifier" && roles::running_node(home.node(node.name)) && std::filesystem::exists(socket))
            return socket;
    }
    return std::nullopt;
}

}  // namespace

int audit(const std::filesystem::path& path) {
    const local::NetworkHome home(std::filesystem::absolute(path));
    auto network = home.load();
    if (!network) return error_exit(network.error().message);
    auto genesis = roles::read_genesis(home.genesis());
    if (!genesis) return error_exit(genesis.error().message);
    if (!genesis->is_committee())
        return error_exit("a single verification node keeps no chain that could be replayed; a committee does");
    auto socket = consensus_socket(home, *network);
    if (!socket)
        return error_exit("no verification node of this network runs here; audit reads the chain of one: " +
                          std::string(network->joined_as ? "ask who runs one" : local::start_command(home)));
    adapters::ChainReader chain(*socket);
    auto last = chain.last_height();
    if (!last) return error_exit(last.error().message);
    auto audit = committee::Audit::begin(*genesis);
    if (!audit) return error_exit(audit.error().message);
    std::cout << bold("reputations") << "\n";
    if (auto replayed = replay(chain, *audit, *last); !replayed) return error_exit(replayed.error().message);
    print_records(audit->registry());
    std::cout << green("ok") << "  " << counted(static_cast<std::size_t>(*last), "block", "blocks")
              << ", each signed by more than 2/3 of the genesis's power, lead from the genesis to "
              << to_hex(audit->registry().app_hash()) << "\n";
    return 0;
}

}  // namespace planetserve::apps
