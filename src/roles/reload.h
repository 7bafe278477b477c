// Reading the configuration again while the node runs (SIGHUP): what can be taken is taken, what cannot is said.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "config/settings.h"
#include "roles/runtime.h"

namespace planetserve::roles {

class Reload {
public:
    // Takes the new values of the live keys, from the file; an error where they cannot be taken.
    using Take = std::function<Status()>;

    // Remembers what the file says now. Live: the full names of the keys that `take` takes.
    Reload(std::filesystem::path file, std::set<std::string> live, Take take);

    // Reads the file again and logs what came of it. Where the file is wrong everything stays as it is.
    void run();

    // A `take` for a role that takes log_level alone, from the configuration that `load` reads.
    template <typename Load>
    static Take take_log_level(const std::filesystem::path& file, Load load) {
        return [file, load]() -> Status {
            auto fresh = load(file);
            if (!fresh) return std::unexpected(fresh.error());
            Runtime::set_log_level(fresh->common.log_level);
            return {};
        };
    }

private:
    std::filesystem::path file_;
    std::set<std::string> live_;
    Take take_;
    config::Settings used_;  // by which the node runs
};

}  // namespace planetserve::roles
