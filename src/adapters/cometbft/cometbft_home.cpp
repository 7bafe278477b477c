#include "adapters/cometbft/cometbft_home.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <ctime>

#include "base/files.h"
#include "base/requires.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

namespace planetserve::adapters {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

// The transactions of one block. A registration has 16 KiB at most, so at least 64 fit.
constexpr const char* block_bytes = "1048576";

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

json::object public_key(const NodeId& id) {
    return {{"type", "tendermint/PubKeyEd25519"}, {"value", crypto::to_base64(id.bytes())}};
}

json::object private_key(const crypto::Identity& identity) {
    Bytes both;  // as Go writes them: the seed, then the public key
    auto seed = identity.seed();
    append(both, seed.bytes());
    append(both, identity.id().bytes());
    return {{"type", "tendermint/PrivKeyEd25519"}, {"value", crypto::to_base64(both)}};
}

// RFC 3339, UTC, to the millisecond.
std::string timestamp(UnixTime time) {
    std::time_t seconds = time.milliseconds / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(time.milliseconds % 1000));
    return std::string(text) + fraction;
}

std::string toml_text(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + "\"";
}

}  // namespace

std::string cometbft_node_id(const NodeId& validator) {
    return to_hex(ByteView(crypto::sha256(validator.bytes())).first(20));
}

std::string cometbft_genesis(const committee::Genesis& genesis) {
    json::array validators;
    for (const auto& validator : genesis.validators)
        validators.push_back(json::object{{"address", upper(cometbft_node_id(validator.id))},
                                          {"pub_key", public_key(validator.id)},
                                          {"power", std::to_string(validator.power)},
                                          {"name", validator.name}});
    json::object parameters{{"block", json::object{{"max_bytes", block_bytes}, {"max_gas", "-1"}}},
                            {"evidence", json::object{{"max_age_num_blocks", "100000"},
                                                      {"max_age_duration", "172800000000000"},
                                                      {"max_bytes", "65536"}}},
                            {"validator", json::object{{"pub_key_types", json::array{"ed25519"}}}},
                            {"version", json::object{{"app", "1"}}},
                            {"abci", json::object{{"vote_extensions_enable_height", "0"}}}};
    json::object object{{"genesis_time", timestamp(genesis.time)},
                        {"chain_id", genesis.consensus_chain_id()},
                        {"initial_height", "1"},
                        {"consensus_params", parameters},
                        {"validators", validators},
                        {"app_hash", ""}};
    return json::serialize(object) + "\n";
}

std::string cometbft_validator_key(const crypto::Identity& identity) {
    return json::serialize(json::object{{"address", upper(cometbft_node_id(identity.id()))},
                                        {"pub_key", public_key(identity.id())},
                                        {"priv_key", private_key(identity)}}) +
           "\n";
}

std::string cometbft_node_key(const crypto::Identity& identity) {
    return json::serialize(json::object{{"priv_key", private_key(identity)}}) + "\n";
}

std::string cometbft_config(const committee::Genesis& genesis, const NodeId& self, const CometbftHome& home) {
    REQUIRES(genesis.find(self) != nullptr);
    std::string peers, ids, moniker;
    for (const auto& validator : genesis.validators) {
        std::string id = cometbft_node_id(validator.id);
        ids += (ids.empty() ? "" : ",") + id;
        if (validator.id == self)
            moniker = validator.name;
        else
            peers += (peers.empty() ? "" : ",") + id + "@" + validator.consensus_address->to_string();
    }
    std::string text;
    auto line = [&](const char* key, const std::string& value) { text += std::string(key) + " = " + value + "\n"; };
    text += "# Written by planetserve at each start. Whatever is not here has CometBFT's default.\n";
    line("moniker", toml_text(moniker));
    line("proxy_app", toml_text("unix://" + home.abci_socket.string()));
    line("abci", "\"socket\"");
    line("log_level", "\"main:info,p2p:error,state:error,*:error\"");
    text += "\n[rpc]\n";
    line("laddr", toml_text("unix://" + home.rpc_socket.string()));
    // Only validators connect, to each other: there is no place for other peers, and addresses are not spread.
    text += "\n[p2p]\n";
    line("laddr", toml_text("tcp://" + home.listen.to_string()));
    line("persistent_peers", toml_text(peers));
    line("unconditional_peer_ids", toml_text(ids));
    line("persistent_peers_max_dial_period", "\"10s\"");
    line("max_num_inbound_peers", "0");
    line("pex", "false");
    line("addr_book_strict", "false");
    line("allow_duplicate_ip", "true");
    line("flush_throttle_timeout", "\"2ms\"");
    text += "\n[mempool]\n";
    line("size", "8192");
    line("cache_size", "16384");
    line("max_tx_bytes", "16384");
    line("max_txs_bytes", "67108864");
    // CometBFT makes a block as soon as there is a transaction, and otherwise as often as leases need one
    // (committee.md).
    text += "\n[consensus]\n";
    line("timeout_propose", "\"1s\"");
    line("timeout_commit", "\"0s\"");
    line("skip_timeout_commit", "true");
    line("create_empty_blocks_interval", toml_text(std::to_string(genesis.parameters.renew_ms / 2) + "ms"));
    line("peer_gossip_sleep_duration", "\"5ms\"");
    if (home.state_sync) {
        std::string servers;
        for (const auto& server : home.state_sync->servers) servers += (servers.empty() ? "" : ",") + server;
        text += "\n[statesync]\n";
        line("enable", "true");
        line("rpc_servers", toml_text(servers));
        line("trust_height", std::to_string(home.state_sync->height));
        line("trust_hash", toml_text(home.state_sync->hash));
        line("trust_period", "\"168h0m0s\"");
        line("discovery_time", "\"5s\"");
    }
    text += "\n[storage]\n";
    line("discard_abci_responses", "true");
    text += "\n[tx_index]\n";
    line("indexer", "\"null\"");
    return text;
}

Status prepare_cometbft_home(const committee::Genesis& genesis, const crypto::Identity& identity,
                             const CometbftHome& home) {
    std::error_code error;
    fs::create_directories(home.path / "config", error);
    fs::create_directories(home.path / "data", error);
    fs::permissions(home.path, fs::perms::owner_all, error);
    if (error) return fail(ErrorCode::io, "cannot make " + home.path.string() + ": " + error.message());
    fs::path state = home.path / "data" / "priv_validator_state.json";
    if (!fs::exists(state)) {
        if (!fs::is_empty(home.path / "data"))
            return fail(ErrorCode::malformed,
                        state.string() +
                            " is missing: it says what this validator voted for, and without it the validator can be "
                            "made to vote twice. Put it back; if it is lost, see docs/operating.md");
        if (auto written = write_private_file(state, "{\"height\": \"0\", \"round\": 0, \"step\": 0}\n"); !written)
            return written;
    }
    const std::pair<const char*, std::string> files[] = {
        {"genesis.json", cometbft_genesis(genesis)},
        {"config.toml", cometbft_config(genesis, identity.id(), home)},
        {"priv_validator_key.json", cometbft_validator_key(identity)},
        {"node_key.json", cometbft_node_key(identity)},
    };
    for (const auto& [name, content] : files)
        if (auto written = write_private_file(home.path / "config" / name, content); !written) return written;
    return {};
}

}  // namespace planetserve::adapters
