// The program's command line: which verb, and its options.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/commands.h"

namespace planetserve::apps {

enum class Verb : std::uint8_t {
    none,
    up,
    down,
    join,
    leave,
    invite,
    status,
    audit,
    doctor,
    chat,
    id,
    genesis,
    user,
    model,
    verifier,
};

struct Invocation {
    Verb verb = Verb::none;
    std::filesystem::path home;  // of the network, or with `id` of a node
    StatusForm status_form = StatusForm::text;
    local::LaunchOptions up;
    local::JoinOptions join;
    InviteOptions invite;
    ChatOptions chat;
    GenesisOptions genesis;
    std::filesystem::path config;  // of a node
};

class CommandLine {
public:
    CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    // Arguments without the program's name. Throws CLI::ParseError, also for --help and --version.
    const Invocation& parse(const std::vector<std::string>& arguments);
    // Prints what a ParseError is about. Returns the exit code.
    int explain(const CLI::ParseError& error) const;

private:
    CLI::App* add(const char* name, const char* help, Verb verb);
    CLI::App* add_with_home(const char* name, const char* help, Verb verb);
    void add_node(const char* name, const char* help, Verb verb);
    void add_up();
    void add_join();
    void add_chat();
    void add_genesis();

    Invocation invocation_;
    std::string home_;
    std::string node_home_;
    std::vector<std::string> invite_words_;  // a mail program breaks lines, and a shell takes blanks for ends
    bool verify_ = false;
    bool no_verify_ = false;
    CLI::App app_;
};

}  // namespace planetserve::apps
