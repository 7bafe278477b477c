// The commands of the program, each in a file of its own. Each prints to standard output, its errors to standard error,
// and returns the exit code: 0 done, 1 failed, 2 wrong usage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace planetserve::apps {

struct UpOptions {
    std::filesystem::path home;
    std::optional<std::size_t> users;      // 16
    std::optional<std::size_t> models;     // 3
    std::optional<std::size_t> verifiers;  // 1
    std::optional<bool> verify;            // of the genesis: a committee does
    std::uint32_t epoch_seconds = 600;     // of the genesis
    std::optional<std::uint16_t> port;     // 8400, or the next free one
};

struct ChatOptions {
    std::filesystem::path home;
    std::string api;  // a base URL; the home's network without it
    std::string api_key;
    std::string model;   // the first that is served without it
    std::string prompt;  // one question; a conversation on the terminal without it
    std::optional<int> max_tokens;
};

struct GenesisOptions {
    std::string chain_id;
    bool verify = false;                               // model nodes are challenged and scored
    std::optional<std::filesystem::path> prompt_pool;  // by conversations of this file
    std::uint32_t epoch_seconds = 600;
    std::vector<std::string> validators;  // NAME=ID@HOST:PORT[/CONSENSUS_PORT]
    std::filesystem::path file;
};

int run_user(const std::filesystem::path& config);
int run_model(const std::filesystem::path& config);
int run_verifier(const std::filesystem::path& config);

int up(const UpOptions& options, const std::string& program);
int down(const std::filesystem::path& home);
int status(const std::filesystem::path& home, bool as_json);
int doctor(const std::filesystem::path& home);
// Replays the chain of a network's committee, and says what moved each reputation.
int audit(const std::filesystem::path& home);
int chat(const ChatOptions& options);
// Prints the id of the node with that home, making its keys if it has none.
int node_id(const std::filesystem::path& home);
int make_genesis(const GenesisOptions& options);

}  // namespace planetserve::apps
