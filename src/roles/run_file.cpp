#include "roles/run_file.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "roles/json_fields.h"

namespace planetserve::roles {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

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
    if (run.pid <= 0 || run.started == 0 || start_time(run.pid) != run.started) return std::nullopt;
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

}  // namespace planetserve::roles
