#include "apps/status_text.h"

#include <cstdio>
#include <iomanip>
#include <sstream>

#include "apps/terminal.h"
#include "base/words.h"
#include "verification/parameters.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

std::string text(const json::value* value) {
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}
std::string brief(const std::string& id) { return id.substr(0, 8); }

// Of a verification node: the height of its registry, and in a committee whether it takes part.
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
    return out + ", consensus " + (state == "running" ? green(state) : red(state)) + ", " +
           counted(peers->to_number<std::size_t>(), "peer", "peers") + (reason.empty() ? "" : ": " + reason);
}

// What the others recorded of how a verification node voted. Its own record counts only where there is no other.
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
        out += ", " + red("said two different things in " + counted(many, "epoch", "epochs"));
    const auto* flagged = record->if_contains("flagged");
    if (flagged != nullptr && flagged->is_bool() && flagged->as_bool())
        out += ", " + red("votes far from the others (" + std::to_string(number("far_epochs")) + " of " +
                          std::to_string(verification::record_window) + " epochs)");
    return out;
}

void write_nodes(std::ostream& out, const json::object& all) {
    out << bold("nodes") << "\n";
    for (const auto& item : all.at("nodes").as_array()) {
        const auto& node = item.as_object();
        std::string state = text(node.if_contains("state"));
        out << "  " << std::left << std::setw(12) << text(node.if_contains("name")) << std::setw(10)
            << brief(text(node.if_contains("id"))) << (state == "running" ? green(state) : red(state)) << "  "
            << text(node.if_contains("address")) << committee_of(node)
            << (text(node.if_contains("role")) == "verifier" ? record_of(all, text(node.if_contains("id"))) : "")
            << "\n";
    }
}

// Of a model node: none where the network verifies nothing.
std::string reputation_of(const json::object& node) {
    const auto* reputation = node.if_contains("reputation");
    const auto* trusted = node.if_contains("trusted");
    if (reputation == nullptr || !reputation->is_number()) return "not verified";
    char number[16];
    std::snprintf(number, sizeof(number), "%.2f", reputation->to_number<double>());
    const bool refused = trusted != nullptr && trusted->is_bool() && !trusted->as_bool();
    return std::string("reputation ") + number + (refused ? red("  not trusted, gets no requests") : "");
}

// "model-1 (ab12cd34) of Example Ltd": the name in this home and the operator, where they are known.
std::string who_is(const json::object& node) {
    const std::string name = text(node.if_contains("name")), id = brief(text(node.if_contains("id")));
    const std::string run_by = text(node.if_contains("operator"));
    return (name.empty() ? id : name + " (" + id + ")") + (run_by.empty() ? "" : " of " + run_by);
}

void write_models(std::ostream& out, const json::object& all) {
    out << bold("models") << "\n";
    for (const auto& item : all.at("model_nodes").as_array()) {
        const auto& node = item.as_object();
        out << "  " << who_is(node) << "  ";
        bool first = true;
        for (const auto& model : node.at("models").as_array()) {
            out << (first ? "" : ", ") << std::string(model.as_string());
            first = false;
        }
        out << "  " << node.at("running") << " running, " << node.at("queued") << " queued, of " << node.at("capacity")
            << "  " << reputation_of(node) << "\n";
    }
}

void write_paths(std::ostream& out, const json::object& all) {
    out << bold("paths") << "\n";
    for (const auto& item : all.at("paths").as_array()) {
        const auto& path = item.as_object();
        out << "  " << std::setw(4) << std::left << json::serialize(path.at("number")) << std::setw(9)
            << text(path.if_contains("state")) << "you";
        for (const auto& relay : path.at("relays").as_array()) out << " > " << brief(std::string(relay.as_string()));
        out << "  " << std::fixed << std::setprecision(1) << path.at("round_trip_ms").to_number<double>() << " ms";
        if (path.at("shares_relays").as_bool()) out << red("  shares a relay with another path");
        out << "\n";
    }
}

}  // namespace

std::string status_text(const json::object& overview) {
    std::ostringstream out;
    const std::string reason = text(overview.if_contains("reason"));
    out << bold("API") << "  " << text(overview.if_contains("api")) << "  "
        << (overview.at("ready").as_bool() ? green("ready") : red(reason.empty() ? "not ready" : reason)) << "\n";
    write_nodes(out, overview);
    write_models(out, overview);
    write_paths(out, overview);
    return out.str();
}

}  // namespace planetserve::apps
