#include "local/network_home.h"

#include <boost/json.hpp>
#include <cstdlib>

#include "base/files.h"
#include "roles/json_fields.h"

namespace planetserve::local {

namespace json = boost::json;
namespace fs = std::filesystem;
using roles::number_of, roles::text_of;

fs::path NetworkHome::default_path() {
    if (const char* home = std::getenv("PLANETSERVE_HOME")) return home;
    if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != 0)
        return fs::path(data) / "planetserve" / "network";
    const char* user = std::getenv("HOME");
    return fs::path(user == nullptr ? "." : user) / ".local" / "share" / "planetserve" / "network";
}

std::string yaml_text(const std::string& text) { return json::serialize(json::string(text)); }

std::string NetworkHome::config_head(const std::string& name, const std::string& written_by,
                                     const std::string& listen) const {
    return "# Written by " + written_by + ".\nhome: " + yaml_text(node(name).string()) +
           "\ngenesis: " + yaml_text(genesis().string()) + "\nlisten: " + yaml_text(listen) + "\n";
}

std::string NetworkHome::option() const { return path_ == default_path() ? "" : " --home " + path_.string(); }

bool NetworkHome::exists() const { return fs::exists(path_ / "network.json"); }

Result<NetworkFile> NetworkHome::load() const {
    auto text = read_file(path_ / "network.json");
    if (!text && exists()) return std::unexpected(text.error());
    if (!text)
        return fail(ErrorCode::not_found, "there is no network in " + path_.string() +
                                              "; start one with: planetserve up --home " + path_.string() +
                                              ", or join one with an invite: planetserve join");
    boost::system::error_code error;
    auto value = json::parse(*text, error);
    if (error || !value.is_object() || !value.as_object().contains("nodes") || !value.as_object()["nodes"].is_array())
        return fail(ErrorCode::malformed, (path_ / "network.json").string() + " does not parse; move " +
                                              path_.string() + " away and run up again");
    NetworkFile network;
    network.api_port = static_cast<std::uint16_t>(number_of(value.as_object(), "api_port"));
    network.engine_threads = number_of(value.as_object(), "engine_threads");
    if (const auto* joined = value.as_object().if_contains("joined"); joined != nullptr && joined->is_object()) {
        const json::object& object = joined->as_object();
        network.joined_as = {text_of(object, "network"), text_of(object, "serve"), text_of(object, "advertise"),
                             text_of(object, "operator")};
    }
    for (const auto& item : value.as_object()["nodes"].as_array())
        if (item.is_object())
            network.nodes.push_back({text_of(item.as_object(), "name"), text_of(item.as_object(), "role")});
    return network;
}

Status NetworkHome::save(const NetworkFile& network) const {
    json::array nodes;
    for (const NetworkNode& node : network.nodes)
        nodes.push_back(json::object{{"name", node.name}, {"role", node.role}});
    json::object all{{"api_port", network.api_port}, {"engine_threads", network.engine_threads}, {"nodes", nodes}};
    if (network.joined_as)
        all["joined"] = json::object{{"network", network.joined_as->network},
                                     {"serve", network.joined_as->serve},
                                     {"advertise", network.joined_as->advertise},
                                     {"operator", network.joined_as->operator_name}};
    return write_file(path_ / "network.json", json::serialize(all) + "\n");
}

}  // namespace planetserve::local
