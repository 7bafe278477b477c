// `planetserve audit`: replays a committee's chain from the genesis on, and says what moved each reputation.

#include <bit>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>

#include "adapters/cometbft/base64.h"
#include "adapters/cometbft/cometbft_rpc.h"
#include "adapters/cometbft/commit_json.h"
#include "apps/commands.h"
#include "apps/network_home.h"
#include "apps/terminal.h"
#include "committee/header_verifier.h"
#include "committee/registry.h"
#include "lightclient/light_client.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

// One question to the node's CometBFT after the other.
class Chain {
public:
    explicit Chain(const std::filesystem::path& socket) : rpc_(context_, socket) {}

    Result<json::value> ask(const std::string& method, json::object parameters) {
        Result<json::value> answer = fail(ErrorCode::timed_out, "CometBFT does not answer");
        rpc_.call(method, std::move(parameters), [&](Result<json::value> result) { answer = std::move(result); });
        context_.restart();
        context_.run();
        return answer;
    }

private:
    boost::asio::io_context context_;
    adapters::CometbftRpc rpc_;
};

Result<std::vector<Bytes>> transactions_of(const json::value& result) {
    boost::system::error_code error;
    const auto* list = result.find_pointer("/block/data/txs", error);
    std::vector<Bytes> transactions;
    if (list == nullptr || list->is_null()) return transactions;
    if (!list->is_array()) return fail(ErrorCode::malformed, "a block whose transactions are no list");
    for (const auto& item : list->get_array()) {
        auto bytes = item.is_string() ? adapters::from_base64(item.get_string()) : std::nullopt;
        if (!bytes) return fail(ErrorCode::malformed, "a block with a transaction that is no base64");
        transactions.push_back(std::move(*bytes));
    }
    return transactions;
}

std::string decimal(verification::Millionths value) {
    char text[16];
    std::snprintf(text, sizeof(text), "%.3f", static_cast<double>(value) / verification::one);
    return text;
}

std::string votes_on(const verification::Ballots& ballots, const NodeId& node) {
    std::string votes;
    for (const auto& [verifier, ballot] : ballots)
        for (const auto& score : ballot.scores)
            if (ballot.revealed && score.node == node && score.outcome != verification::Outcome::inconclusive)
                votes += (votes.empty() ? "" : ", ") + verifier.brief() + " " +
                         (score.outcome == verification::Outcome::no_answer ? "no answer" : decimal(score.credit));
    return votes;
}

// What a block did to reputations, by the votes that were there before it: they are settled as it begins, and gone
// where another epoch begins with it.
void tell_moves(const committee::Registry& registry, const verification::Ballots& ballots,
                std::map<NodeId, verification::Millionths>& before) {
    const auto* state = registry.verification();
    if (state == nullptr) return;
    for (const auto& [node, standing] : state->standings()) {
        auto known = before.try_emplace(node, state->parameters().initial).first;
        if (known->second == standing.reputation) continue;
        std::cout << "  epoch " << standing.last_epoch << ", height " << registry.height() << ": " << node.brief()
                  << "  " << decimal(known->second) << " -> " << decimal(standing.reputation)
                  << (state->trusted(node) ? "" : red("  not trusted")) << "  votes: " << votes_on(ballots, node)
                  << "\n";
        known->second = standing.reputation;
    }
}

// What a block says against verification nodes.
void tell_equivocations(const committee::Registry& registry, std::map<NodeId, std::uint32_t>& before) {
    const auto* state = registry.verification();
    if (state == nullptr) return;
    for (const auto& [verifier, power] : state->verifiers().powers()) {
        const std::uint32_t now = state->record(verifier).equivocations;
        if (std::exchange(before[verifier], now) == now) continue;
        std::cout << "  epoch " << state->epoch().number << ", height " << registry.height() << ": verifier "
                  << verifier.brief() << red("  said two different things") << "\n";
    }
}

// How each voted.
void tell_records(const committee::Registry& registry) {
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

class Replay {
public:
    Replay(const committee::Genesis& genesis, Chain& chain)
        : chain_(chain),
          registry_(genesis),
          validators_(*committee::consensus_validators(genesis)),
          light_(client_of(genesis, validators_)) {}

    // Blocks 1 to last, each signed by more than 2/3, each leading to the hash that the next one states.
    Status run(std::int64_t last) {
        for (std::int64_t height = 1; height <= last; ++height) {
            auto block = signed_block(height);
            if (!block) return std::unexpected(block.error());
            if (block->header.app_hash != to_bytes(ByteView(registry_.app_hash())))
                return fail(ErrorCode::authentication,
                            "block " + std::to_string(height) + " states another hash than its blocks before lead to");
            verification::Ballots ballots;
            if (const auto* state = registry_.verification()) ballots = state->ballots();
            if (auto applied = apply(*block); !applied) return applied;
            tell_equivocations(registry_, equivocations_);
            tell_moves(registry_, ballots, reputations_);
        }
        return {};
    }
    const committee::Registry& registry() const { return registry_; }

private:
    static lightclient::LightClient client_of(const committee::Genesis& genesis,
                                              const lightclient::ValidatorSet& validators) {
        lightclient::Options options;
        // A chain is audited however old it is.
        options.trusting_period = std::chrono::hours(24 * 365 * 100);
        return lightclient::LightClient(genesis.consensus_chain_id(), validators, options);
    }

    Result<lightclient::LightBlock> signed_block(std::int64_t height) {
        auto commit = chain_.ask("commit", {{"height", std::to_string(height)}});
        if (!commit)
            return fail(commit.error().code, "block " + std::to_string(height) + ": " + commit.error().message);
        auto block = adapters::light_block_from_json(*commit, validators_);
        if (!block) return block;
        if (auto checked = light_.update(*block, lightclient::Timestamp::from(SystemClock().unix_now())); !checked)
            return fail(ErrorCode::authentication, "block " + std::to_string(height) + ": " + checked.error().message);
        return block;
    }
    Status apply(const lightclient::LightBlock& block) {
        auto whole = chain_.ask("block", {{"height", std::to_string(block.header.height)}});
        auto transactions = whole ? transactions_of(*whole) : std::unexpected(whole.error());
        if (!transactions) return std::unexpected(transactions.error());
        registry_.begin_block(block.header.height, block.header.time.to_unix_time());
        // Those that are refused change nothing, or what a refusal changes.
        for (const Bytes& transaction : *transactions) (void)registry_.apply(transaction);
        registry_.commit();
        return {};
    }

    Chain& chain_;
    committee::Registry registry_;
    lightclient::ValidatorSet validators_;
    lightclient::LightClient light_;
    std::map<NodeId, verification::Millionths> reputations_;
    std::map<NodeId, std::uint32_t> equivocations_;
};

Result<std::int64_t> last_height(Chain& chain) {
    auto status = chain.ask("status", {});
    if (!status) return std::unexpected(status.error());
    boost::system::error_code error;
    const auto* height = status->find_pointer("/sync_info/latest_block_height", error);
    const auto* earliest = status->find_pointer("/sync_info/earliest_block_height", error);
    if (height == nullptr || !height->is_string() || earliest == nullptr || !earliest->is_string())
        return fail(ErrorCode::malformed, "CometBFT's status has no heights");
    if (earliest->get_string() != "1")
        return fail(ErrorCode::not_found, "this node forgot the blocks before " + std::string(earliest->get_string()) +
                                              "; audit one that has them all");
    return std::strtoll(height->get_string().c_str(), nullptr, 10);
}

}  // namespace

int audit(const std::filesystem::path& path) {
    NetworkHome home(std::filesystem::absolute(path));
    auto network = home.load();
    if (!network) return error_exit(network.error().message);
    auto text = read_file(home.genesis());
    auto genesis = text ? committee::Genesis::parse(*text) : std::unexpected(text.error());
    if (!genesis) return error_exit(genesis.error().message);
    if (!genesis->is_committee())
        return error_exit("a single verification node keeps no chain that could be replayed; a committee does");
    std::optional<std::filesystem::path> socket;
    for (const NetworkNode& node : network->nodes) {
        auto own = home.node(node.name) / "consensus" / "rpc.sock";
        if (node.role == "verifier" && running_node(home.node(node.name)) && std::filesystem::exists(own)) socket = own;
    }
    if (!socket) return error_exit("no verification node of this network runs here; start it: planetserve up");
    Chain chain(*socket);
    auto last = last_height(chain);
    if (!last) return error_exit(last.error().message);
    std::cout << bold("reputations") << "\n";
    Replay replay(*genesis, chain);
    if (auto replayed = replay.run(*last); !replayed) return error_exit(replayed.error().message);
    tell_records(replay.registry());
    std::cout << green("ok") << "  " << *last
              << " blocks, each signed by more than 2/3 of the genesis's power, lead from the genesis to "
              << to_hex(replay.registry().app_hash()) << "\n";
    return 0;
}

}  // namespace planetserve::apps
