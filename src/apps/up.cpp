// `planetserve up` and `planetserve down`: a whole network of real processes on this machine.

#include <iostream>

#include "apps/commands.h"
#include "apps/terminal.h"

namespace planetserve::apps {

namespace fs = std::filesystem;

namespace {

void say_how_to_use(const local::NetworkFile& network, const local::NetworkHome& home) {
    const std::string base = "http://127.0.0.1:" + std::to_string(network.api_port);
    const std::string with_home = home.option();
    std::cout << "\n"
              << bold("The network is up.") << " Its API is OpenAI's, at " << bold(base + "/v1") << "\n\n"
              << "  curl " << base << "/v1/chat/completions -H 'Content-Type: application/json' \\\n"
              << "    -d '{\"model\": \"" << local::first_model
              << "\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}'\n\n"
              << "  export OPENAI_BASE_URL=" << base << "/v1 OPENAI_API_KEY=none    # for programs that use OpenAI\n"
              << "  ./planetserve chat" << with_home << "      talk to it\n"
              << "  ./planetserve status" << with_home << "    nodes, paths, models\n"
              << "  ./planetserve doctor" << with_home << "    find out what is wrong\n"
              << "  ./planetserve down" << with_home << "      stop it\n";
}

}  // namespace

int up(local::LaunchOptions options) {
    options.home = fs::absolute(options.home);
    std::cout << "Network in " << options.home.string() << "\n";
    PrintedSteps steps;
    auto network = local::launch(options, steps);
    if (!network) return error_exit(network.error().message);
    say_how_to_use(*network, local::NetworkHome(options.home));
    return 0;
}

int down(const fs::path& path) {
    const local::NetworkHome home(fs::absolute(path));
    PrintedSteps steps;
    auto stopped = local::stop(home, steps);
    if (!stopped) return error_exit(stopped.error().message);
    if (*stopped == 0) std::cout << "No node of " << home.path().string() << " runs.\n";
    return 0;
}

}  // namespace planetserve::apps
