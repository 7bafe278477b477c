// `planetserve doctor`: probes what a user depends on, end to end, and says what to do about what fails.

#include <boost/json.hpp>
#include <iostream>

#include "apps/commands.h"
#include "apps/http_client.h"
#include "apps/network_home.h"
#include "apps/overview.h"
#include "apps/terminal.h"
#include "committee/genesis.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

// Of four paths of three relays that share none; the asker's own node comes on top.
constexpr std::size_t relays_needed = 12;

class Findings {
public:
    void good(const std::string& what) { std::cout << "  " << green("[ok]") << " " << what << "\n"; }
    void bad(const std::string& what, const std::string& advice) {
        ++bad_;
        std::cout << "  " << red("[!!]") << " " << what << "\n       " << advice << "\n";
    }
    int bad_count() const { return bad_; }

private:
    int bad_ = 0;
};

void check_processes(const NetworkHome& home, const json::object& all, Findings& findings) {
    std::size_t running = 0;
    const auto& nodes = all.at("nodes").as_array();
    for (const auto& item : nodes) {
        const auto& node = item.as_object();
        if (node.at("state").as_string() == "running") {
            ++running;
            continue;
        }
        std::string name(node.at("name").as_string());
        findings.bad(name + " does not run",
                     "see " + home.log(name).string() + ", then: planetserve up --home " + home.path().string());
    }
    if (running == nodes.size()) findings.good("all " + std::to_string(running) + " nodes run");
}

// Of each verification node, by its name; all the same where the genesis does not say.
std::map<std::string, std::uint64_t> voting_powers(const NetworkHome& home) {
    std::map<std::string, std::uint64_t> powers;
    auto text = read_file(home.genesis());
    auto genesis = text ? committee::Genesis::parse(*text) : std::unexpected(text.error());
    if (genesis)
        for (const auto& validator : genesis->validators) powers[validator.name] = validator.power;
    return powers;
}

// Whether the verification nodes agree on blocks, where there are several.
void check_committee(const NetworkHome& home, const json::object& all, Findings& findings) {
    std::size_t verifiers = 0, running = 0;
    std::uint64_t power = 0, running_power = 0;
    auto powers = voting_powers(home);
    for (const auto& item : all.at("nodes").as_array()) {
        const auto& node = item.as_object();
        if (node.at("role").as_string() != "verifier") continue;
        std::string name(node.at("name").as_string());
        const std::uint64_t own_power = powers.try_emplace(name, 1).first->second;
        ++verifiers;
        power += own_power;
        const auto* seen = node.if_contains("committee");
        if (seen == nullptr) continue;  // it does not run, which was said
        if (!seen->is_object()) {
            findings.bad(name + " does not tell its state", "see " + home.log(name).string());
            continue;
        }
        const auto& consensus = seen->as_object().at("consensus").as_object();
        std::string state(consensus.at("state").as_string()), reason(consensus.at("reason").as_string());
        if (state == "running") {
            ++running;
            running_power += own_power;
        } else {
            findings.bad(
                "the consensus engine of " + name + " is " + state + (reason.empty() ? "" : ": " + reason),
                "see " + (home.node(name) / "consensus.log").string() + "; one that catches up needs nothing but time");
        }
    }
    if (verifiers < 2) return;
    std::string part = std::to_string(running) + " of " + std::to_string(verifiers) + " verification nodes";
    if (power != verifiers)
        part += ", with " + std::to_string(running_power) + " of " + std::to_string(power) + " of the voting power,";
    // As a committee counts; powers are at most 2^60 in all.
    if (3 * running_power > 2 * power)
        findings.good(part + " take part in consensus; more than two thirds are needed");
    else
        findings.bad("only " + part + " take part in consensus",
                     "more than two thirds are needed; until then nobody joins, and the last list is used");
}

void check_directory(const json::object& all, Findings& findings) {
    const auto* directory = all.if_contains("directory");
    if (directory == nullptr) return findings.bad("the directory is unknown", "the node with the API must run first");
    const auto& object = directory->as_object();
    std::string seen = json::serialize(object.at("users")) + " user nodes and " +
                       json::serialize(object.at("model_nodes")) + " model nodes at height " +
                       json::serialize(object.at("height"));
    const auto* problem = object.if_contains("problem");
    if (problem != nullptr && !problem->as_string().empty())
        findings.bad("the directory cannot be refreshed: " + std::string(problem->as_string()),
                     "the last list is used meanwhile (" + seen + "); check the verification node");
    else
        findings.good("the directory, checked against the genesis, lists " + seen);
}

void check_paths(const json::object& all, Findings& findings) {
    std::size_t up = 0, shared = 0;
    for (const auto& item : all.at("paths").as_array()) {
        up += item.as_object().at("state").as_string() == "up" ? 1 : 0;
        shared += item.as_object().at("shares_relays").as_bool() ? 1 : 0;
    }
    std::string reason(all.at("reason").as_string());
    if (!all.at("ready").as_bool())
        findings.bad(std::to_string(up) + " paths are up" + (reason.empty() ? "" : ": " + reason),
                     "wait a few seconds; if it stays so, more user nodes must run or be reachable");
    else
        findings.good(std::to_string(up) + " paths are up");
    if (shared > 0)
        findings.bad(std::to_string(shared) + " paths share a relay",
                     all.at("directory").as_object().at("users").to_number<std::size_t>() < relays_needed
                         ? "four paths of three relays need 13 user nodes; start more for full anonymity"
                         : "relays failed lately; the path is replaced within a minute");
}

void check_answer(const std::string& api, const std::string& model, Findings& findings) {
    json::object body{{"model", model},
                      {"max_tokens", 8},
                      {"messages", json::array{json::object{{"role", "user"}, {"content", "Say hello."}}}}};
    auto reply = http_call({.url = api + "/chat/completions",
                            .body = json::serialize(body),
                            .api_key = {},
                            .timeout_seconds = 60,
                            .on_body = {}});
    if (!reply) return findings.bad(model + ": " + reply.error().message, "see the log of the node with the API");
    boost::system::error_code error;
    json::value value = json::parse(reply->body, error);
    const auto* choices = !error && value.is_object() ? value.as_object().if_contains("choices") : nullptr;
    if (reply->status != 200 || choices == nullptr)
        return findings.bad(model + ": status " + std::to_string(reply->status) + ": " + reply->body.substr(0, 300),
                            "see the logs of the model nodes that serve it");
    findings.good(model + " answered, from model node " + reply->headers["x-planetserve-model-node"].substr(0, 8) +
                  " over paths " + reply->headers["x-planetserve-paths"]);
}

}  // namespace

int doctor(const std::filesystem::path& path) {
    NetworkHome home(std::filesystem::absolute(path));
    auto all = overview(home);
    if (!all) return error_exit(all.error().message);
    Findings findings;
    check_processes(home, *all, findings);
    if (std::string(all->at("api_node").as_string()).empty()) {
        findings.bad("the API does not answer", "start it with: planetserve up --home " + home.path().string());
        return 1;
    }
    check_committee(home, *all, findings);
    check_directory(*all, findings);
    check_paths(*all, findings);
    if (all->at("models").as_array().empty())
        findings.bad("no model is served", "see the logs of the model nodes in " + home.path().string());
    for (const auto& model : all->at("models").as_array())
        check_answer(std::string(all->at("api").as_string()), std::string(model.as_string()), findings);
    std::cout << (findings.bad_count() == 0 ? "Everything works.\n"
                                            : std::to_string(findings.bad_count()) + " things are wrong.\n");
    return findings.bad_count() == 0 ? 0 : 1;
}

}  // namespace planetserve::apps
