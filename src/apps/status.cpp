// `planetserve status`: what runs, and what the API's node sees of the network.

#include <boost/json.hpp>
#include <cstdio>
#include <iomanip>
#include <iostream>

#include "apps/commands.h"
#include "apps/http_client.h"
#include "apps/network_home.h"
#include "apps/overview.h"
#include "apps/terminal.h"
#include "verification/parameters.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

std::string text(const json::value* value) {
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}
std::string brief(const std::string& id) { return id.substr(0, 8); }

// Of a verification node: how far its registry is, and in a committee whether it takes part.
std::string committee_of(const json::object& node) {
    const auto* seen = node.if_contains("committee");
    if (seen == nullptr) return "";
    if (!seen->is_object()) return "  " + red(text(seen));
    const auto& object = seen->as_object();
    const auto& consensus = object.at("consensus").as_object();
    std::string out = "  height " + json::serialize(object.at("height"));
    const auto* peers = consensus.if_contains("peers");
    if (peers == nullptr) return out;
    std::string state = text(consensus.if_contains("state"));
    std::string reason = text(consensus.if_contains("reason"));
    return out + ", consensus " + (state == "running" ? green(state) : red(state)) + ", " + json::serialize(*peers) +
           " peers" + (reason.empty() ? "" : ": " + reason);
}

// What the others remember of how a verification node voted: its own word does not count where there is another's.
std::string record_of(const json::object& all, const std::string& id) {
    const json::object* record = nullptr;
    for (const auto& item : all.at("nodes").as_array()) {
        boost::system::error_code error;
        const auto* list = item.find_pointer("/committee/verification/verifiers", error);
        const auto* teller = item.as_object().if_contains("id");
        if (list == nullptr || !list->is_array() || (record != nullptr && text(teller) == id)) continue;
        for (const auto& one : list->as_array())
            if (one.is_object() && text(one.as_object().if_contains("id")) == id) record = &one.as_object();
    }
    if (record == nullptr) return "";
    std::string out;
    auto number = [&](const char* key) {
        const auto* value = record->if_contains(key);
        boost::system::error_code wrong;
        const std::uint64_t read = value == nullptr ? 0 : value->to_number<std::uint64_t>(wrong);
        return wrong ? 0 : read;
    };
    if (auto many = number("equivocations"); many > 0)
        out += ", " + red("said two different things in " + std::to_string(many) + (many == 1 ? " epoch" : " epochs"));
    const auto* flagged = record->if_contains("flagged");
    if (flagged != nullptr && flagged->is_bool() && flagged->as_bool())
        out += ", " + red("votes far from the others (" + std::to_string(number("far_epochs")) + " of " +
                          std::to_string(verification::record_window) + " epochs)");
    return out;
}

void print_nodes(const json::object& all) {
    std::cout << bold("nodes") << "\n";
    for (const auto& item : all.at("nodes").as_array()) {
        const auto& node = item.as_object();
        std::string state = text(node.if_contains("state"));
        std::cout << "  " << std::left << std::setw(12) << text(node.if_contains("name")) << std::setw(10)
                  << brief(text(node.if_contains("id"))) << (state == "running" ? green(state) : red(state)) << "  "
                  << text(node.if_contains("address")) << committee_of(node)
                  << (text(node.if_contains("role")) == "verifier" ? record_of(all, text(node.if_contains("id"))) : "")
                  << "\n";
    }
}

// Said where it was ever other than what a node begins with.
std::string reputation_of(const json::object& node) {
    const auto* reputation = node.if_contains("reputation");
    const auto* trusted = node.if_contains("trusted");
    if (reputation == nullptr || trusted == nullptr || !reputation->is_number() || !trusted->is_bool()) return "";
    char number[16];
    std::snprintf(number, sizeof(number), "%.2f", reputation->to_number<double>());
    return std::string("  reputation ") + number + (trusted->as_bool() ? "" : red("  not trusted, gets no requests"));
}

void print_models(const json::object& all) {
    std::cout << bold("models") << "\n";
    for (const auto& item : all.at("model_nodes").as_array()) {
        const auto& node = item.as_object();
        std::cout << "  " << brief(text(node.if_contains("id"))) << "  ";
        bool first = true;
        for (const auto& model : node.at("models").as_array()) {
            std::cout << (first ? "" : ", ") << std::string(model.as_string());
            first = false;
        }
        std::cout << "  " << node.at("running") << " running, " << node.at("queued") << " queued, of "
                  << node.at("capacity") << reputation_of(node) << "\n";
    }
}

void print_paths(const json::object& all) {
    std::cout << bold("paths") << "\n";
    for (const auto& item : all.at("paths").as_array()) {
        const auto& path = item.as_object();
        std::cout << "  " << std::setw(4) << std::left << json::serialize(path.at("number")) << std::setw(9)
                  << text(path.if_contains("state")) << "you";
        for (const auto& relay : path.at("relays").as_array())
            std::cout << " > " << brief(std::string(relay.as_string()));
        std::cout << "  " << std::fixed << std::setprecision(1) << path.at("round_trip_ms").to_number<double>()
                  << " ms";
        if (path.at("shares_relays").as_bool()) std::cout << red("  shares a relay with another path");
        std::cout << "\n";
    }
}

}  // namespace

int status(const std::filesystem::path& path, bool as_json) {
    NetworkHome home(std::filesystem::absolute(path));
    auto all = overview(home);
    if (!all) return error_exit(all.error().message);
    if (as_json) {
        std::cout << json::serialize(*all) << "\n";
        return 0;
    }
    std::string reason = text(all->if_contains("reason"));
    std::cout << bold("API") << "  " << text(all->if_contains("api")) << "  "
              << (all->at("ready").as_bool() ? green("ready") : red(reason.empty() ? "not ready" : reason)) << "\n";
    print_nodes(*all);
    print_models(*all);
    print_paths(*all);
    return 0;
}

}  // namespace planetserve::apps
