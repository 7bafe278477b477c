// The command line; every verb is a file of its own.

#include <curl/curl.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/commands.h"
#include "apps/network_home.h"
#include "apps/version.h"

using namespace planetserve;

int main(int argc, char** argv) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CLI::App app{
        "PlanetServe: an open overlay network on which independent people serve language models together.\n\n"
        "  planetserve up                 start a network on this machine and say how to use it\n"
        "  planetserve chat \"Hello!\"      ask it something\n"
        "  planetserve doctor             find out what is wrong\n"};
    app.set_version_flag("--version", std::string("planetserve ") + apps::version);
    app.require_subcommand(1);
    app.fallthrough(false);

    std::string home = apps::NetworkHome::default_path().string();
    auto with_home = [&](CLI::App* verb) {
        verb->add_option("--home", home, "the network's directory")->capture_default_str();
    };
    int code = 0;

    apps::UpOptions up_options;
    auto* up = app.add_subcommand("up", "start a network of real nodes on this machine; returns when its API answers");
    with_home(up);
    up->add_option("--users", up_options.users, "user nodes, which relay (default 16)")->check(CLI::Range(1, 256));
    up->add_option("--models", up_options.models, "model nodes (default 3)")->check(CLI::Range(1, 64));
    up->add_option("--verifiers", up_options.verifiers,
                   "verification nodes (default 1; more are a committee, which needs CometBFT)")
        ->check(CLI::Range(1, 16));
    bool verify = false, no_verify = false;
    auto* verify_flag =
        up->add_flag("--verify", verify,
                     "model nodes are challenged and scored (default: by a committee); fixed once the network is made");
    up->add_flag("--no-verify", no_verify, "they are not")->excludes(verify_flag);
    up->add_option("--epoch-seconds", up_options.epoch_seconds, "between two challenges of a model node (default 600)")
        ->check(CLI::Range(10, 86'400));
    up->add_option("--port", up_options.port, "port of the API on 127.0.0.1 (default 8400, or the next that is free)")
        ->check(CLI::Range(1, 65535));
    up->callback([&] {
        up_options.home = home;
        if (verify || no_verify) up_options.verify = verify;
        code = apps::up(up_options, argv[0]);
    });

    auto* down = app.add_subcommand("down", "stop the network and everything it started");
    with_home(down);
    down->callback([&] { code = apps::down(home); });
    auto* stop = app.add_subcommand("stop", "the same as down");
    with_home(stop);
    stop->callback([&] { code = apps::down(home); });

    bool as_json = false;
    auto* status = app.add_subcommand("status", "nodes, paths, and the models that are served");
    with_home(status);
    status->add_flag("--json", as_json, "one JSON object");
    status->callback([&] { code = apps::status(home, as_json); });

    auto* audit =
        app.add_subcommand("audit", "replay a committee's chain from the genesis; says what moved each reputation");
    with_home(audit);
    audit->callback([&] { code = apps::audit(home); });

    auto* doctor = app.add_subcommand("doctor", "probe the directory, the paths and a real answer; says what to do");
    with_home(doctor);
    doctor->callback([&] { code = apps::doctor(home); });

    apps::ChatOptions chat_options;
    auto* chat = app.add_subcommand("chat", "talk to a model; shows which paths carried the answer");
    with_home(chat);
    chat->add_option("prompt", chat_options.prompt, "one question; without it a conversation");
    chat->add_option("--model", chat_options.model, "which model (default: the first that is served)");
    chat->add_option("--max-tokens", chat_options.max_tokens, "length of an answer at most");
    chat->add_option("--api", chat_options.api, "base URL of another API, such as http://127.0.0.1:8400/v1");
    chat->add_option("--api-key", chat_options.api_key, "its key")->envname("OPENAI_API_KEY");
    chat->callback([&] {
        chat_options.home = home;
        code = apps::chat(chat_options);
    });

    std::string node_home;
    auto* id = app.add_subcommand("id", "print a node's id; makes its keys if it has none");
    id->add_option("--home", node_home, "the node's directory")->required();
    id->callback([&] { code = apps::node_id(node_home); });

    apps::GenesisOptions genesis_options;
    auto* genesis = app.add_subcommand("genesis", "make the file that founds a network of several machines");
    genesis->add_option("--chain-id", genesis_options.chain_id, "the network's name")->required();
    genesis
        ->add_option("--validator", genesis_options.validators,
                     "NAME=ID@HOST:PORT of a verification node; of a committee NAME=ID@HOST:PORT/CONSENSUS_PORT")
        ->required();
    auto* challenged = genesis->add_flag("--verify", genesis_options.verify,
                                         "model nodes are challenged, scored and trusted accordingly");
    genesis
        ->add_option("--epoch-seconds", genesis_options.epoch_seconds,
                     "between two challenges of a model node (default 600)")
        ->check(CLI::Range(10, 86'400));
    genesis
        ->add_option("--prompt-pool", genesis_options.prompt_pool,
                     "conversations that challenges are made of; the committee's secret, of which the genesis has the "
                     "SHA-256 alone")
        ->check(CLI::ExistingFile)
        ->needs(challenged);
    genesis->add_option("--out", genesis_options.file, "the file to write")->required();
    genesis->callback([&] { code = apps::make_genesis(genesis_options); });

    std::string config;
    auto role = [&](const char* name, const char* help, int (*run)(const std::filesystem::path&)) {
        auto* verb = app.add_subcommand(name, help);
        verb->add_option("--config", config, "the node's configuration file")->required()->check(CLI::ExistingFile);
        verb->callback([&code, &config, run] { code = run(config); });
    };
    role("user", "run a user node: an API for its owner, a relay for others", apps::run_user);
    role("model", "run a model node", apps::run_model);
    role("verifier", "run a verification node", apps::run_verifier);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        int exit_code = app.exit(error);
        return exit_code == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        std::cerr << "planetserve: " << error.what() << "\n";
        return 1;
    }
    return code;
}
