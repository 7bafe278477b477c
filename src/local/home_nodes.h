// The processes of a home's nodes: what `up` and `join` start, wait for and stop.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "local/network_home.h"
#include "local/steps.h"
#include "roles/home_lock.h"

namespace planetserve::local {

// Makes the folder, which only its owner may look into.
Status make_home(const std::filesystem::path& path);
// Only one program at a time starts or stops nodes of a home. already_exists: another one does.
Result<roles::HomeLock> lock_network(const NetworkHome& home);

std::size_t count_of(const NetworkFile& network, std::string_view role);
// Whether a user node with an API runs.
bool api_runs(const NetworkHome& home, const NetworkFile& network);
// A port for the API: the one asked for, else the one it had, else 8400 or the next free one.
Result<std::uint16_t> choose_port(const std::optional<std::uint16_t>& asked,
                                  const std::optional<NetworkFile>& existing);

// Starts those that do not run, the verification nodes first, and waits until each has said where it listens.
Status start_nodes(const NetworkHome& home, const NetworkFile& network, Steps& steps);
// What a home is to have besides an API that is ready.
struct Wait {
    std::size_t model_nodes = 0;  // of the home, that are listed, so that each can be asked
    bool registered = false;      // whether the directory has to have taken the user node with the API
};
// An error says what was missing last; at once where a node ended.
Status wait_for_api(const NetworkHome& home, const Wait& wait, Steps& steps);
// Stops those of these nodes that run. Users first, then the model nodes they ask, then the directory. Returns how
// many.
std::size_t stop_nodes(const NetworkHome& home, std::vector<std::string> names, Steps& steps);

}  // namespace planetserve::local
