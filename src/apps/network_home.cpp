#include "apps/network_home.h"

#include <signal.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace planetserve::apps {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

std::string text_of(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t number_of(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

// Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. 0 when it is gone.
std::uint64_t start_time(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(text.substr(name_end + 2));
    std::string field;
    char state = 0;
    fields >> state;
    if (state == 'Z') return 0;
    for (int i = 4; i <= 21; ++i) fields >> field;
    std::uint64_t ticks = 0;
    fields >> ticks;
    return ticks;
}

}  // namespace

fs::path NetworkHome::default_path() {
    if (const char* home = std::getenv("PLANETSERVE_HOME")) return home;
    if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != 0)
        return fs::path(data) / "planetserve" / "network";
    const char* user = std::getenv("HOME");
    return fs::path(user == nullptr ? "." : user) / ".local" / "share" / "planetserve" / "network";
}

bool NetworkHome::exists() const { return fs::exists(path_ / "network.json"); }

Result<NetworkFile> NetworkHome::load() const {
    auto text = read_file(path_ / "network.json");
    if (!text)
        return fail(ErrorCode::not_found, "there is no network in " + path_.string() +
                                              "; start one with: planetserve up --home " + path_.string());
    boost::system::error_code error;
    auto value = json::parse(*text, error);
    if (error || !value.is_object() || !value.as_object().contains("nodes") || !value.as_object()["nodes"].is_array())
        return fail(ErrorCode::malformed, (path_ / "network.json").string() + " does not parse; move " +
                                              path_.string() + " away and run up again");
    NetworkFile network;
    network.api_port = static_cast<std::uint16_t>(number_of(value.as_object(), "api_port"));
    for (const auto& item : value.as_object()["nodes"].as_array())
        if (item.is_object())
            network.nodes.push_back({text_of(item.as_object(), "name"), text_of(item.as_object(), "role")});
    return network;
}

Status NetworkHome::save(const NetworkFile& network) const {
    json::array nodes;
    for (const NetworkNode& node : network.nodes)
        nodes.push_back(json::object{{"name", node.name}, {"role", node.role}});
    return write_file(path_ / "network.json",
                      json::serialize(json::object{{"api_port", network.api_port}, {"nodes", nodes}}) + "\n");
}

std::optional<RunFile> running_node(const fs::path& node_home) {
    auto text = read_file(node_home / "run.json");
    if (!text) return std::nullopt;
    boost::system::error_code error;
    auto value = json::parse(*text, error);
    if (error || !value.is_object()) return std::nullopt;
    const auto& object = value.as_object();
    RunFile run{static_cast<pid_t>(number_of(object, "pid")),
                static_cast<std::uint64_t>(number_of(object, "started")),
                text_of(object, "id"),
                text_of(object, "role"),
                text_of(object, "address"),
                text_of(object, "api")};
    if (run.pid <= 0 || start_time(run.pid) != run.started) return std::nullopt;
    return run;
}

Status write_run_file(const fs::path& node_home, RunFile run) {
    run.pid = getpid();
    run.started = start_time(run.pid);
    json::object object{{"pid", run.pid},   {"started", run.started}, {"id", run.id},
                        {"role", run.role}, {"address", run.address}, {"api", run.api}};
    return write_file(node_home / "run.json", json::serialize(object) + "\n");
}

void remove_run_file(const fs::path& node_home) {
    std::error_code ignored;
    fs::remove(node_home / "run.json", ignored);
}

Status write_file(const fs::path& file, const std::string& content) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    fs::path temporary = file;
    temporary += ".new";
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << content;
    out.close();
    if (!out) return fail(ErrorCode::io, "cannot write " + temporary.string());
    fs::rename(temporary, file, error);
    if (error) return fail(ErrorCode::io, "cannot write " + file.string() + ": " + error.message());
    return {};
}

Result<std::string> read_file(const fs::path& file, std::size_t maximum) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::io, "cannot read " + file.string());
    std::string text(maximum + 1, 0);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > maximum)
        return fail(ErrorCode::exhausted, file.string() + " is larger than " + std::to_string(maximum) + " bytes");
    return text;
}

}  // namespace planetserve::apps
