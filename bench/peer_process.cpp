#include "bench/peer_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace planetserve::bench {

namespace {

[[noreturn]] void give_up(const std::string& why) {
    std::cerr << "bench: the peers' program: " << why << '\n';
    std::exit(1);
}

}  // namespace

PeerProcess::PeerProcess(const std::string& program) {
    // A program that ended shows as an error of the write.
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) give_up("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::string name = program;
    std::array<char*, 2> arguments{name.data(), nullptr};
    int failed = posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (failed != 0) give_up("cannot start " + program);
    to_ = fdopen(in[1], "w");
    from_ = fdopen(out[0], "r");
}

PeerProcess::~PeerProcess() {
    // It ends with its input.
    std::fclose(to_);
    std::fclose(from_);
    waitpid(child_, nullptr, 0);
}

void PeerProcess::write(ByteView bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), to_) != bytes.size()) give_up("it takes no input");
}

void PeerProcess::write_u32(std::size_t value) {
    std::array<std::uint8_t, 4> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(value >> 8 * i);
    write(bytes);
}

std::string PeerProcess::line() {
    std::fflush(to_);
    std::string line;
    for (int next = std::fgetc(from_); next != '\n'; next = std::fgetc(from_)) {
        if (next == EOF) give_up("it ended");
        line.push_back(static_cast<char>(next));
    }
    return line;
}

double PeerProcess::time(std::string_view index, std::string_view operation, std::size_t calls) {
    std::string asked = std::string(index) + ' ' + std::string(operation) + ' ' + std::to_string(calls) + '\n';
    write(as_bytes(asked));
    return std::stod(line()) / 1000 / static_cast<double>(calls);
}

}  // namespace planetserve::bench
