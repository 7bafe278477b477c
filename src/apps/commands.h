// The commands of the program, each in a file of its own. Each prints to standard output, its errors to standard error,
// and returns the exit code: 0 done, 1 failed, 2 wrong usage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "local/joining.h"
#include "local/launcher.h"

namespace planetserve::apps {

struct ChatOptions {
    std::filesystem::path home;
    std::string api;  // a base URL; without it the network of the home
    std::string api_key;
    std::string model;   // without it the first that is served
    std::string prompt;  // one question; without it a conversation on the terminal
    std::optional<int> max_tokens;
};

struct GenesisOptions {
    std::string chain_id;
    bool verify = false;                               // model nodes are challenged and scored
    std::optional<std::filesystem::path> prompt_pool;  // the file of conversations that challenges are made from
    std::uint32_t epoch_seconds = 600;
    std::vector<std::string> validators;  // NAME=ID@HOST:PORT[/CONSENSUS_PORT]
    std::filesystem::path file;
};

struct InviteOptions {
    std::filesystem::path home;
    std::filesystem::path genesis;  // empty: that of the home
};

enum class StatusForm : std::uint8_t { text, json };

int user(const std::filesystem::path& config);
int model(const std::filesystem::path& config);
int verifier(const std::filesystem::path& config);

int up(local::LaunchOptions options);
int down(const std::filesystem::path& home);
int join(local::JoinOptions options);
int leave(const std::filesystem::path& home);
int invite(const InviteOptions& options);
int status(const std::filesystem::path& home, StatusForm form);
int doctor(const std::filesystem::path& home);
int audit(const std::filesystem::path& home);
int chat(const ChatOptions& options);
// Prints the id of the node with that home; makes its keys if it has none.
int id(const std::filesystem::path& home);
int genesis(const GenesisOptions& options);

}  // namespace planetserve::apps
