// Starting and stopping node processes from the commands.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace planetserve::local {

// Starts a program that goes on when this one ends: a session of its own, no terminal, output appended to the log.
Result<pid_t> start_detached(const std::vector<std::string>& command, const std::filesystem::path& log);
// True while the process runs. Reaps it when it is a child that ended.
bool process_runs(pid_t pid);
// Asks the processes to end, waits, then makes them. Returns how many had to be made.
std::size_t stop_processes(const std::vector<pid_t>& pids, int grace_seconds);

// This program's own file.
std::filesystem::path own_program();

}  // namespace planetserve::local
