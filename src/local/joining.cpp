#include "local/joining.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "base/files.h"
#include "base/words.h"
#include "committee/invite.h"
#include "crypto/system_random.h"
#include "local/diagnosis.h"
#include "local/home_nodes.h"
#include "local/launcher.h"
#include "local/overview.h"
#include "roles/founding_fetch.h"
#include "roles/genesis_file.h"

namespace planetserve::local {

namespace fs = std::filesystem;

namespace {

constexpr const char* user_name = "user-1";
constexpr const char* model_name = "model-1";
constexpr std::size_t longest_operator = 64;  // of a descriptor
constexpr std::size_t longest_model = 128;

bool is_loopback(const Endpoint& address) {
    return address.host == "localhost" || address.host == "::1" ||
           (address.host.starts_with("127.") && address.has_ip_address());
}

bool on_this_machine(const committee::Genesis& genesis) {
    return std::ranges::all_of(genesis.validators,
                               [](const auto& validator) { return is_loopback(validator.address); });
}

// Whose node it is, where it listens and what others are told. The nodes of one machine follow each other by port.
std::string common_lines(const NetworkHome& home, const std::string& name, const JoinedAs& joined_as,
                         std::uint16_t offset) {
    std::string listen = "127.0.0.1:0", more;
    if (!joined_as.advertise.empty()) {
        Endpoint told = Endpoint::parse(joined_as.advertise).value();
        told.port = static_cast<std::uint16_t>(told.port + offset);
        listen = Endpoint{told.host.find(':') == std::string::npos ? "0.0.0.0" : "::", told.port}.to_string();
        more += "advertise: " + yaml_text(told.to_string()) + "\n";
    }
    if (!joined_as.operator_name.empty()) more += "operator: " + yaml_text(joined_as.operator_name) + "\n";
    return home.config_head(name, "planetserve join, which writes it anew when it is given options", listen) + more;
}

// A node that nobody reaches is no relay: paths through it would fail.
bool relays(const JoinedAs& joined_as, bool here) { return here || !joined_as.advertise.empty(); }

Status write_configs(const NetworkHome& home, const NetworkFile& network, bool here) {
    const JoinedAs& joined_as = *network.joined_as;
    std::string user = common_lines(home, user_name, joined_as, 0) +
                       "relay:\n  enabled: " + (relays(joined_as, here) ? "true" : "false") +
                       "\napi:\n  listen: \"localhost:" + std::to_string(network.api_port) + "\"\n";
    if (auto written = write_file(home.config(user_name), user); !written) return written;
    if (joined_as.serve.empty()) return {};
    std::string model = common_lines(home, model_name, joined_as, 1) +
                        "status:\n  listen: \"127.0.0.1:0\"\nmodels:\n  - name: " + yaml_text(joined_as.serve) +
                        "\n    catalogue: " + yaml_text(joined_as.serve) +
                        "\n    threads: " + std::to_string(network.engine_threads) + "\n";
    return write_file(home.config(model_name), model);
}

// network.json comes first: what is cut after it, `join` and `leave` mend.
Status write_home(const NetworkHome& home, const NetworkFile& network, const committee::Genesis& genesis) {
    if (auto saved = home.save(network); !saved) return saved;
    if (auto written = write_file(home.genesis(), genesis.to_json() + "\n"); !written) return written;
    return write_configs(home, network, on_this_machine(genesis));
}

bool same(const NetworkFile& one, const NetworkFile& other) {
    return one.joined_as == other.joined_as && one.api_port == other.api_port &&
           one.engine_threads == other.engine_threads;
}

// Whether the genesis and the configurations are there. Then there is no need to write them, and changes that the owner
// made in them stay.
bool is_whole(const NetworkHome& home, const NetworkFile& network) {
    return fs::exists(home.genesis()) && std::ranges::all_of(network.nodes, [&](const NetworkNode& node) {
               return fs::exists(home.config(node.name));
           });
}

Result<committee::Genesis> found(const std::string& text, Steps& steps) {
    auto invite = committee::Invite::parse(text);
    if (!invite) return std::unexpected(invite.error());
    steps.begin("genesis");
    auto genesis = roles::fetch_genesis(*invite);
    steps.end(genesis ? Steps::Outcome::done : Steps::Outcome::failed,
              genesis ? "the network " + genesis->chain_id : genesis.error().message);
    return genesis;
}

// The home's genesis, or that of the invite, which is another only for a home that is in no network yet.
Result<committee::Genesis> genesis_to_join(const NetworkHome& home, const JoinOptions& options,
                                           const std::optional<NetworkFile>& existing, Steps& steps) {
    const std::string path = home.path().string();
    if (existing && !existing->joined_as)
        return fail(ErrorCode::already_exists,
                    path + " is of a whole network of this machine; give this node another --home");
    if (!existing && options.invite.empty())
        return fail(
            ErrorCode::invalid_argument,
            path + " is in no network yet; ask somebody who is for an invite: planetserve join planetserve:...");
    auto own = roles::read_genesis(home.genesis());
    // A join that was cut may have left no genesis.
    if (!existing || (!own && !options.invite.empty())) return found(options.invite, steps);
    if (!own)
        return fail(own.error().code,
                    own.error().message + "; join with an invite, or: planetserve leave --home " + path);
    if (options.invite.empty()) return own;
    auto invite = committee::Invite::parse(options.invite);
    if (!invite) return std::unexpected(invite.error());
    if (invite->network == own->network()) return own;
    return fail(ErrorCode::already_exists, path + " is in the network " + own->chain_id +
                                               ", and the invite is for another one; leave the first: planetserve "
                                               "leave --home " +
                                               path + ", or use another --home");
}

Status check_addresses(const JoinedAs& joined_as, std::uint16_t api_port, bool here) {
    const auto wrong = [](const std::string& why) { return fail(ErrorCode::invalid_argument, why); };
    const bool serves = !joined_as.serve.empty();
    if (joined_as.advertise.empty()) {
        if (!serves || here) return {};
        return wrong(
            "a model node has to be reached: give --advertise ADDRESS:PORT, an address of this machine whose port and "
            "the next one others can reach");
    }
    auto told = Endpoint::parse(joined_as.advertise);
    if (!told) return wrong("--advertise: " + told.error().message);
    const bool everywhere = told->host == "0.0.0.0" || told->host == "::";
    if (everywhere || (is_loopback(*told) && !here))
        return wrong("--advertise: nobody else reaches this machine at " + told->host +
                     "; give an address at which others do, or leave it out");
    if (serves && told->port == std::numeric_limits<std::uint16_t>::max())
        return wrong("--advertise: a model node takes the next port, and there is none");
    const int ports = serves ? 2 : 1;
    if (api_port >= told->port && api_port < told->port + ports)
        return wrong("port " + std::to_string(api_port) +
                     " would be the API's and that of a node; give the API another with --port");
    return {};
}

// As the registry takes it, and as a file can hold it.
Status check_names(const JoinedAs& joined_as) {
    for (const auto& [option, text, most] : {std::tuple("--operator", &joined_as.operator_name, longest_operator),
                                             std::tuple("--serve", &joined_as.serve, longest_model)})
        if (text->size() > most || !is_printable(*text))
            return fail(ErrorCode::invalid_argument, std::string(option) + " takes at most " + std::to_string(most) +
                                                         " printable characters of ASCII");
    return {};
}

Result<NetworkFile> plan(const NetworkHome& home, const JoinOptions& options,
                         const std::optional<NetworkFile>& existing, const committee::Genesis& genesis) {
    // Its own port is taken by the node that runs.
    const bool kept =
        existing && api_runs(home, *existing) && options.port.value_or(existing->api_port) == existing->api_port;
    auto port = kept ? Result<std::uint16_t>(existing->api_port) : choose_port(options.port, existing);
    if (!port) return std::unexpected(port.error());
    JoinedAs joined_as = existing ? *existing->joined_as : JoinedAs{genesis.chain_id, "", "", ""};
    joined_as.serve = options.serve.value_or(joined_as.serve);
    joined_as.advertise = options.advertise.value_or(joined_as.advertise);
    joined_as.operator_name = options.operator_name.value_or(joined_as.operator_name);
    if (auto fits = check_names(joined_as); !fits) return std::unexpected(fits.error());
    if (auto fits = check_addresses(joined_as, *port, on_this_machine(genesis)); !fits)
        return std::unexpected(fits.error());
    NetworkFile network{
        *port, {{user_name, "user"}}, options.threads.value_or(existing ? existing->engine_threads : 0), joined_as};
    if (!joined_as.serve.empty()) network.nodes.push_back({model_name, "model"});
    return network;
}

void forget(const NetworkHome& home) {
    std::error_code error;
    std::vector<fs::path> gone{home.genesis(), home.path() / "network.json"};
    // A relay that comes back under its keys must know the set-ups that it took; and a user keeps its entry relays.
    const std::set<std::string> kept{"keys", "replay_tags", "entry_relays"};
    for (const auto& node : fs::directory_iterator(home.nodes(), error))
        for (const auto& file : fs::directory_iterator(node.path(), error))
            if (!kept.contains(file.path().filename().string())) gone.push_back(file.path());
    for (const fs::path& file : gone) fs::remove_all(file, error);
}

// Starts what is planned. Where that fails, the home is as it was before.
Status start(const NetworkHome& home, const std::optional<NetworkFile>& existing, const NetworkFile& network,
             const committee::Genesis& genesis, Steps& steps) {
    const bool changes = !existing || !same(*existing, network) || !is_whole(home, network);
    std::map<std::string, std::string> configs;  // as their owner may have changed them
    for (const char* name : {user_name, model_name})
        if (auto text = read_file(home.config(name)); existing && text) configs[name] = *text;
    // Nodes read their configuration when they start.
    if (existing && changes) stop_nodes(home, {user_name, model_name}, steps);
    Status started = changes ? write_home(home, network, genesis) : Status{};
    if (started) started = start_nodes(home, network, steps);
    if (started || !changes) return started;
    stop_nodes(home, {user_name, model_name}, steps);
    if (!existing) {
        forget(home);
        return fail(started.error().code, started.error().message + "; nothing was joined");
    }
    bool back = home.save(*existing).has_value();
    for (const auto& [name, text] : configs) back = write_file(home.config(name), text) && back;
    back = back && start_nodes(home, *existing, steps);
    return fail(started.error().code,
                started.error().message + (back ? "; the node runs as it did before" : "; the node does not run"));
}

Status first_answer(const NetworkHome& home, Steps& steps) {
    steps.begin("an answer");
    const Finding answer = probe_answer(home);
    const bool good = answer.kind == Finding::Kind::good;
    steps.end(good ? Steps::Outcome::done : Steps::Outcome::failed, answer.what);
    if (good) return {};
    return fail(ErrorCode::unavailable,
                "no answer came; the node runs, so find out why: planetserve doctor --home " + home.path().string());
}

}  // namespace

Result<Joined> join(const JoinOptions& options, Steps& steps) {
    const NetworkHome home(options.home);
    std::optional<NetworkFile> existing;
    if (home.exists()) {
        auto loaded = home.load();
        if (!loaded) return std::unexpected(loaded.error());
        existing = *loaded;
    }
    auto genesis = genesis_to_join(home, options, existing, steps);
    if (!genesis) return std::unexpected(genesis.error());
    auto network = plan(home, options, existing, *genesis);
    if (!network) return std::unexpected(network.error());
    if (auto made = make_home(home.path()); !made) return std::unexpected(made.error());
    auto lock = lock_network(home);
    if (!lock) return std::unexpected(lock.error());
    if (home.exists() != existing.has_value())
        return fail(ErrorCode::already_exists,
                    "another 'planetserve' joined or left with " + home.path().string() + " meanwhile; run this again");
    if (auto started = start(home, existing, *network, *genesis, steps); !started)
        return std::unexpected(started.error());
    const bool here = on_this_machine(*genesis);
    const bool relaying = relays(*network->joined_as, here);
    steps.begin("list, paths, API");
    const Wait wait{.model_nodes = count_of(*network, "model"), .registered = relaying};
    if (auto ready = wait_for_api(home, wait, steps); !ready) {
        steps.end(Steps::Outcome::failed, ready.error().message);
        return fail(ready.error().code, "the node runs, but cannot ask yet; find out why: planetserve doctor --home " +
                                            home.path().string());
    }
    steps.end(Steps::Outcome::done, "http://127.0.0.1:" + std::to_string(network->api_port));
    if (auto answered = first_answer(home, steps); !answered) return std::unexpected(answered.error());
    return Joined{*network, relaying};
}

Status leave(const NetworkHome& home, Steps& steps) {
    auto network = home.load();
    if (!network) return std::unexpected(network.error());
    if (!network->joined_as)
        return fail(ErrorCode::invalid_argument, home.path().string() +
                                                     " is a whole network of this machine, which has nobody to leave; "
                                                     "stop it with: planetserve down --home " +
                                                     home.path().string());
    if (auto stopped = stop(home, steps); !stopped) return std::unexpected(stopped.error());
    auto lock = lock_network(home);
    if (!lock) return std::unexpected(lock.error());
    forget(home);
    if (home.exists()) return fail(ErrorCode::io, "cannot remove " + (home.path() / "network.json").string());
    return {};
}

Result<InviteText> invite(const fs::path& file) {
    auto genesis = roles::read_genesis(file);
    if (!genesis) return std::unexpected(genesis.error());
    crypto::SystemRandom random;
    return InviteText{committee::invite_to(*genesis, random).to_text(), on_this_machine(*genesis)};
}

}  // namespace planetserve::local
