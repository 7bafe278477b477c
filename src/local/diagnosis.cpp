#include "local/diagnosis.h"

#include <set>

#include "adapters/http/http_client.h"
#include "base/words.h"
#include "config/model_config.h"
#include "config/user_config.h"
#include "local/overview.h"
#include "roles/genesis_file.h"

namespace planetserve::local {

namespace json = boost::json;

namespace {

// For four paths of three relays that share none. The user's own node comes on top.
constexpr std::size_t relays_needed = 12;
constexpr long answer_deadline_seconds = 60;
constexpr long node_deadline_seconds = 20;    // for one node of this machine
constexpr std::size_t longest_excerpt = 300;  // of an error, bytes

Finding good(std::string what) { return {Finding::Kind::good, std::move(what), {}}; }
Finding bad(std::string what, std::string advice) { return {Finding::Kind::bad, std::move(what), std::move(advice)}; }

std::string text(const json::value& value) { return std::string(value.as_string()); }

VotingPowers voting_powers(const NetworkHome& home) {
    VotingPowers powers;
    if (auto genesis = roles::read_genesis(home.genesis()))
        for (const auto& validator : genesis->validators) powers[validator.name] = validator.power;
    return powers;
}

ConfiguredModels configured_models(const NetworkHome& home, const json::object& overview) {
    ConfiguredModels configured;
    for (const auto& node : overview.at("nodes").as_array()) {
        if (node.at("role").as_string() != "model") continue;
        const std::string name = text(node.at("name"));
        if (auto config = config::load_model_config(home.config(name)))
            for (const auto& model : config->models) configured[name].push_back(model.name);
    }
    return configured;
}

// How the API is asked.
struct Api {
    std::string url;
    std::string key;
};

struct Probe {
    std::string model;
    std::string node;  // the id of the only model node that may answer; empty: any
    std::string name;  // in findings
    std::string log;   // where to look when it fails
    long seconds = answer_deadline_seconds;
};

Finding finding_of(const Api& api, const Probe& probe) {
    const json::object body{{"model", probe.model},
                            {"max_tokens", 4},
                            {"messages", json::array{json::object{{"role", "user"}, {"content", "Say hello."}}}}};
    adapters::HttpCall call{.url = api.url + "/chat/completions",
                            .body = json::serialize(body),
                            .api_key = api.key,
                            .timeout_seconds = probe.seconds,
                            .on_body = {}};
    if (!probe.node.empty()) call.headers["x-planetserve-model-node"] = probe.node;
    auto reply = adapters::http_call(call);
    if (!reply) return bad(probe.name + ": " + reply.error().message, "see " + probe.log);
    boost::system::error_code error;
    json::value value = json::parse(reply->body, error);
    const auto* choices = !error && value.is_object() ? value.as_object().if_contains("choices") : nullptr;
    if (reply->status == adapters::http_unauthorized)
        return bad("the API wants another key than the configuration of its node has",
                   "start that node again, or send it SIGHUP");
    if (reply->status != 200 || choices == nullptr)
        return bad(probe.name + ": status " + std::to_string(reply->status) + ": " +
                       printable(reply->body.substr(0, longest_excerpt)),
                   "see " + probe.log);
    return good(probe.name + " answered, from model node " + reply->headers["x-planetserve-model-node"].substr(0, 8) +
                " over paths " + reply->headers["x-planetserve-paths"]);
}

Probe any_node_with(const std::string& model) {
    return {model, "", model, "the logs of the model nodes that serve it"};
}

// Each model once, from whichever node; then each model node of this home.
void check_answers(const NetworkHome& home, const json::object& overview, const OnFinding& on_finding) {
    const Api api{text(overview.at("api")), api_key(home).value_or("")};
    for (const auto& model : overview.at("models").as_array()) on_finding(finding_of(api, any_node_with(text(model))));
    for (const auto& node : overview.at("model_nodes").as_array()) {
        const std::string name = text(node.at("name"));
        if (name.empty()) continue;
        for (const auto& model : node.at("models").as_array())
            on_finding(finding_of(api, {text(model), text(node.at("id")), name + " with " + text(model),
                                        home.log(name).string(), node_deadline_seconds}));
    }
}

// A home in others' network: whether others' paths run through its node.
void check_relaying(const NetworkHome& home, const json::object& overview, const OnFinding& on_finding) {
    auto network = home.load();
    if (!network || !network->joined_as) return;
    for (const NetworkNode& node : network->nodes) {
        if (node.role != "user") continue;
        auto config = config::load_user_config(home.config(node.name));
        if (!config) return on_finding(bad(config.error().message, "mend that file, and " + start_command(home)));
        const auto& told = config->common.advertise;
        if (!config->relay)
            on_finding(
                good("it relays for nobody: no address was given at which others reach this machine (planetserve "
                     "join --advertise HOST:PORT)"));
        else if (!overview.at("directory").at("registered").as_bool())
            on_finding(bad("it is to relay, and the directory has not taken it",
                           "see " + home.log(node.name).string() + " for the reason"));
        else if (told)
            on_finding(good("it relays, and tells others to reach it at " + told->to_string() +
                            "; whether they do, nobody has tried"));
        else
            on_finding(good("it relays for nodes of this machine"));
    }
}

}  // namespace

std::string start_command(const NetworkHome& home) {
    auto network = home.load();
    const bool member = network && network->joined_as;
    return std::string("planetserve ") + (member ? "join" : "up") + " --home " + home.path().string();
}

Finding probe_answer(const NetworkHome& home) {
    auto all = overview(home);
    if (!all) return bad(all.error().message, start_command(home));
    const auto& models = all->at("models").as_array();
    if (models.empty()) return bad("no model is served", "somebody has to serve one: planetserve join --serve MODEL");
    return finding_of({text(all->at("api")), api_key(home).value_or("")}, any_node_with(text(models.front())));
}

void check_processes(const NetworkHome& home, const json::object& overview, const OnFinding& on_finding) {
    std::size_t running = 0;
    const auto& nodes = overview.at("nodes").as_array();
    for (const auto& node : nodes) {
        if (node.at("state").as_string() == "running") {
            ++running;
            continue;
        }
        const std::string name = text(node.at("name"));
        on_finding(bad(name + " does not run", "see " + home.log(name).string() + ", then: " + start_command(home)));
    }
    if (running == nodes.size())
        on_finding(good(running == 1 ? "the only node runs" : "all " + std::to_string(running) + " nodes run"));
}

void check_committee(const NetworkHome& home, VotingPowers powers, const json::object& overview,
                     const OnFinding& on_finding) {
    std::size_t verifiers = 0, running = 0;
    std::uint64_t power = 0, running_power = 0;
    for (const auto& item : overview.at("nodes").as_array()) {
        const auto& node = item.as_object();
        if (node.at("role").as_string() != "verifier") continue;
        const std::string name = text(node.at("name"));
        const std::uint64_t own_power = powers.try_emplace(name, 1).first->second;
        ++verifiers;
        power += own_power;
        const auto* seen = node.if_contains("committee");
        if (seen == nullptr) continue;  // it does not run: check_processes says so
        if (!seen->is_object()) {
            on_finding(bad(name + " does not tell its state", "see " + home.log(name).string()));
            continue;
        }
        const auto& consensus = seen->at("consensus").as_object();
        const std::string state = text(consensus.at("state")), reason = text(consensus.at("reason"));
        if (state == "running") {
            ++running;
            running_power += own_power;
        } else {
            on_finding(
                bad("the consensus engine of " + name + " is " + state + (reason.empty() ? "" : ": " + reason),
                    "see " + (home.node(name) / "consensus.log").string() + "; one that catches up only needs time"));
        }
    }
    if (verifiers < 2) return;
    std::string part = std::to_string(running) + " of " + std::to_string(verifiers) + " verification nodes";
    if (power != verifiers)
        part += ", with " + std::to_string(running_power) + " of " + std::to_string(power) + " of the voting power,";
    // As a committee counts; all powers together are at most 2^60.
    if (3 * running_power > 2 * power)
        on_finding(good(part + " take part in consensus; more than two thirds are needed"));
    else
        on_finding(bad("only " + part + " take part in consensus",
                       "more than two thirds are needed; until then no node can join, and the last list is used"));
}

void check_directory(const json::object& overview, const OnFinding& on_finding) {
    const auto* directory = overview.if_contains("directory");
    if (directory == nullptr)
        return on_finding(bad("the directory is unknown", "the node with the API must run first"));
    const auto& object = directory->as_object();
    const std::string seen = counted(object.at("users").to_number<std::size_t>(), "user node", "user nodes") + " and " +
                             counted(object.at("model_nodes").to_number<std::size_t>(), "model node", "model nodes") +
                             " at height " + json::serialize(object.at("height"));
    const auto* problem = object.if_contains("problem");
    if (problem != nullptr && !problem->as_string().empty())
        on_finding(bad("the directory cannot be refreshed: " + text(*problem),
                       "the last list is used meanwhile (" + seen + "); check the verification nodes"));
    else
        on_finding(good("the directory, checked against the genesis, lists " + seen));
}

void check_listing(const NetworkHome& home, const ConfiguredModels& configured, const json::object& overview,
                   const OnFinding& on_finding) {
    std::map<std::string, std::set<std::string>> listed;  // models, by the node's id
    for (const auto& node : overview.at("model_nodes").as_array())
        for (const auto& model : node.at("models").as_array()) listed[text(node.at("id"))].insert(text(model));
    for (const auto& node : overview.at("nodes").as_array()) {
        if (node.at("role").as_string() != "model" || node.at("state").as_string() != "running") continue;
        const std::string name = text(node.at("name"));
        const std::string advice = "see " + home.log(name).string() + " and the logs of its engines beside it";
        auto shown = listed.find(text(node.at("id")));
        if (shown == listed.end()) {
            on_finding(bad(name + " runs, and the directory does not list it", advice));
            continue;
        }
        auto models = configured.find(name);
        if (models == configured.end()) continue;
        for (const std::string& model : models->second)
            if (!shown->second.contains(model))
                on_finding(bad(name + " is to serve " + model + ", and is not listed with it", advice));
    }
}

void check_paths(const json::object& overview, const OnFinding& on_finding) {
    std::size_t up = 0, shared = 0;
    for (const auto& path : overview.at("paths").as_array()) {
        if (path.at("state").as_string() == "up") ++up;
        if (path.at("shares_relays").as_bool()) ++shared;
    }
    const std::string paths_up = counted(up, "path is", "paths are") + " up";
    const std::string reason = text(overview.at("reason"));
    if (overview.at("ready").as_bool())
        on_finding(good(paths_up));
    else
        on_finding(bad(paths_up + (reason.empty() ? "" : ": " + reason),
                       "wait a few seconds; if it stays so, more user nodes must run or be reachable"));
    if (shared == 0) return;
    const bool few = overview.at("directory").at("users").to_number<std::size_t>() < relays_needed;
    on_finding(bad(counted(shared, "path shares", "paths share") + " a relay",
                   few ? "four paths of three relays need " + std::to_string(relays_needed + 1) +
                             " user nodes; start more for full anonymity"
                       : "relays failed lately; the path is replaced within a minute"));
}

Result<std::size_t> diagnose(const NetworkHome& home, const OnFinding& on_finding) {
    auto all = overview(home);
    if (!all) return std::unexpected(all.error());
    std::size_t wrong = 0;
    auto tell = [&](const Finding& finding) {
        if (finding.kind == Finding::Kind::bad) ++wrong;
        on_finding(finding);
    };
    check_processes(home, *all, tell);
    if (text(all->at("api_node")).empty()) {
        tell(bad("the API does not answer", "start it with: " + start_command(home)));
        return wrong;
    }
    check_committee(home, voting_powers(home), *all, tell);
    check_directory(*all, tell);
    check_paths(*all, tell);
    check_relaying(home, *all, tell);
    if (all->at("models").as_array().empty())
        tell(bad("no model is served", "see the logs of the model nodes in " + home.path().string()));
    check_listing(home, configured_models(home, *all), *all, tell);
    check_answers(home, *all, tell);
    return wrong;
}

}  // namespace planetserve::local
