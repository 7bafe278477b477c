#include "apps/command_line.h"

#include <algorithm>

#include "roles/version.h"

namespace planetserve::apps {

namespace {

constexpr const char* about =
    "PlanetServe: an open overlay network on which independent people serve language models together.\n\n"
    "  planetserve up                 start a network on this machine and say how to use it\n"
    "  planetserve chat \"Hello!\"      ask it something\n"
    "  planetserve doctor             find out what is wrong\n"
    "  planetserve join INVITE        start a node in a network of others\n";

constexpr int shortest_epoch = 10;  // seconds
constexpr int longest_epoch = 86'400;

}  // namespace

CommandLine::CommandLine() : home_(local::NetworkHome::default_path().string()), app_(about) {
    app_.set_version_flag("--version",
                          std::string("planetserve ") + roles::version + " (commit " + roles::commit + ")");
    app_.require_subcommand(1);
    app_.fallthrough(false);
    add_up();
    add_with_home("down", "stop the network and everything it started", Verb::down);
    add_with_home("stop", "the same as down", Verb::down);
    add_join();
    add_with_home("leave", "stop the node of this home, take it off the list, and forget its network", Verb::leave);
    add_with_home("invite", "print the line by which somebody joins this network", Verb::invite)
        ->add_option("--genesis", invocation_.invite.genesis, "of the network, where it is in no home of this machine")
        ->check(CLI::ExistingFile);
    add_with_home("status", "nodes, paths, and the models that are served", Verb::status)
        ->add_flag_callback("--json", [this] { invocation_.status_form = StatusForm::json; }, "one JSON object");
    add_with_home("audit", "replay a committee's chain from the genesis; says what changed each reputation",
                  Verb::audit);
    add_with_home("doctor", "probe the directory, the paths and a real answer; says what to do", Verb::doctor);
    add_chat();
    add("id", "print a node's id; makes its keys if it has none", Verb::id)
        ->add_option("--home", node_home_, "the node's directory")
        ->required();
    add_genesis();
    add_node("user", "run a user node: an API for its owner, a relay for others", Verb::user);
    add_node("model", "run a model node", Verb::model);
    add_node("verifier", "run a verification node", Verb::verifier);
}

const Invocation& CommandLine::parse(const std::vector<std::string>& arguments) {
    // CLI11 takes them from the back.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app_.parse(std::move(reversed));
    invocation_.home = invocation_.verb == Verb::id ? node_home_ : home_;
    invocation_.up.home = invocation_.chat.home = invocation_.join.home = invocation_.invite.home = home_;
    for (const std::string& word : invite_words_) invocation_.join.invite += word + " ";
    if (verify_ || no_verify_) invocation_.up.verify = verify_;
    return invocation_;
}

int CommandLine::explain(const CLI::ParseError& error) const { return app_.exit(error) == 0 ? 0 : 2; }

CLI::App* CommandLine::add(const char* name, const char* help, Verb verb) {
    auto* command = app_.add_subcommand(name, help);
    command->callback([this, verb] { invocation_.verb = verb; });
    return command;
}

CLI::App* CommandLine::add_with_home(const char* name, const char* help, Verb verb) {
    auto* command = add(name, help, verb);
    command->add_option("--home", home_, "the network's directory")->capture_default_str();
    return command;
}

void CommandLine::add_node(const char* name, const char* help, Verb verb) {
    add(name, help, verb)
        ->add_option("--config", invocation_.config, "the node's configuration file")
        ->required()
        ->check(CLI::ExistingFile);
}

void CommandLine::add_up() {
    auto& up = invocation_.up;
    auto* command =
        add_with_home("up", "start a network of real nodes on this machine; returns when its API answers", Verb::up);
    command->add_option("--users", up.users, "user nodes, which relay (default 16)")->check(CLI::Range(1, 256));
    command->add_option("--models", up.models, "model nodes (default 3)")->check(CLI::Range(1, 64));
    command
        ->add_option("--verifiers", up.verifiers,
                     "verification nodes (default 1; more are a committee, which needs CometBFT)")
        ->check(CLI::Range(1, 16));
    auto* verify = command->add_flag(
        "--verify", verify_, "model nodes are challenged and scored (default: by a committee); fixed in the genesis");
    command->add_flag("--no-verify", no_verify_, "they are not")->excludes(verify);
    command->add_option("--epoch-seconds", up.epoch_seconds, "between two challenges of a model node (default 600)")
        ->check(CLI::Range(shortest_epoch, longest_epoch));
    command->add_option("--threads", up.threads, "of each model node's engine (default: they share the cores)")
        ->check(CLI::Range(1, 1024));
    command->add_option("--port", up.port, "port of the API on 127.0.0.1 (default 8400, or the next that is free)")
        ->check(CLI::Range(1, 65535));
}

void CommandLine::add_join() {
    auto& join = invocation_.join;
    auto* command = add_with_home(
        "join", "start a node in a network that others founded; returns when a first answer came", Verb::join);
    command->add_option("invite", invite_words_,
                        "planetserve:..., as 'planetserve invite' prints it; without it the network joined before");
    command->add_option("--serve", join.serve, "a model of the catalogue to serve");
    command->add_option("--advertise", join.advertise,
                        "ADDRESS:PORT at which others reach this machine; a model node takes the next port");
    command->add_option("--operator", join.operator_name, "a name of yours, for everybody to see");
    command->add_option("--threads", join.threads, "of the engine (default: all cores)")->check(CLI::Range(1, 1024));
    command->add_option("--port", join.port, "port of the API on 127.0.0.1 (default 8400, or the next that is free)")
        ->check(CLI::Range(1, 65535));
}

void CommandLine::add_chat() {
    auto& chat = invocation_.chat;
    auto* command = add_with_home("chat", "talk to a model; shows which paths carried the answer", Verb::chat);
    command->add_option("prompt", chat.prompt, "one question; without it a conversation");
    command->add_option("--model", chat.model, "which model (default: the first that is served)");
    command->add_option("--max-tokens", chat.max_tokens, "the longest answer");
    command->add_option("--api", chat.api, "base URL of another API, such as http://127.0.0.1:8400/v1");
    command->add_option("--api-key", chat.api_key, "its key")->envname("OPENAI_API_KEY");
}

void CommandLine::add_genesis() {
    auto& genesis = invocation_.genesis;
    auto* command = add("genesis", "make the file that founds a network of several machines", Verb::genesis);
    command->add_option("--chain-id", genesis.chain_id, "the network's name")->required();
    command
        ->add_option("--validator", genesis.validators,
                     "NAME=ID@HOST:PORT of a verification node; in a committee NAME=ID@HOST:PORT/CONSENSUS_PORT")
        ->required();
    auto* verify =
        command->add_flag("--verify", genesis.verify, "model nodes are challenged, scored and trusted accordingly");
    command
        ->add_option("--epoch-seconds", genesis.epoch_seconds, "between two challenges of a model node (default 600)")
        ->check(CLI::Range(shortest_epoch, longest_epoch));
    command
        ->add_option("--prompt-pool", genesis.prompt_pool,
                     "the file of conversations that challenges are made from; the genesis states only its SHA-256, "
                     "the committee keeps it secret")
        ->check(CLI::ExistingFile)
        ->needs(verify);
    command->add_option("--out", genesis.file, "the file to write")->required();
}

}  // namespace planetserve::apps
