#include "eval/wide_area/connection_owner.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace planetserve::eval {

namespace {

// The inode of the socket at one end; empty when the kernel does not list it.
std::string inode_of(std::uint16_t own, std::uint16_t other) {
    // In memory's order: 127.0.0.1 of a little-endian machine.
    char mine[16], theirs[16];
    std::snprintf(mine, sizeof mine, "0100007F:%04X", own);
    std::snprintf(theirs, sizeof theirs, "0100007F:%04X", other);
    std::ifstream table("/proc/net/tcp");
    std::string line;
    while (std::getline(table, line)) {
        if (line.find(mine) == line.npos) continue;
        std::istringstream fields(line);
        std::string skipped, local, remote, inode;
        fields >> skipped >> local >> remote;
        if (local != mine || remote != theirs) continue;
        // State, queues, timer, retransmissions, user, timeout.
        for (int i = 0; i < 6; ++i) fields >> skipped;
        fields >> inode;
        return inode == "0" ? "" : inode;
    }
    return "";
}

bool holds(pid_t process, const std::string& socket) {
    std::error_code error;
    std::filesystem::directory_iterator files("/proc/" + std::to_string(process) + "/fd", error), end;
    for (; !error && files != end; files.increment(error)) {
        std::error_code gone;
        if (std::filesystem::read_symlink(files->path(), gone) == socket) return true;
    }
    return false;
}

}  // namespace

std::optional<pid_t> connection_owner(std::uint16_t own, std::uint16_t other, const std::vector<pid_t>& processes) {
    std::string inode = inode_of(own, other);
    if (inode.empty()) return std::nullopt;
    std::string socket = "socket:[" + inode + "]";
    for (pid_t process : processes)
        if (holds(process, socket)) return process;
    return std::nullopt;
}

}  // namespace planetserve::eval
