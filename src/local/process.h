// Starts and stops the processes of nodes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace planetserve::local {

// Starts a program that outlives this one: a session of its own, no terminal, output appended to the log.
Result<pid_t> start_detached(const std::vector<std::string>& command, const std::filesystem::path& log);
// True while the process runs. Reaps a child that ended.
bool process_runs(pid_t pid);
// Asks the processes to end (SIGTERM), waits, then kills those that are left. Returns how many it killed.
std::size_t stop_processes(const std::vector<pid_t>& pids, int grace_seconds);

// This program's own file.
std::filesystem::path own_program();

}  // namespace planetserve::local
