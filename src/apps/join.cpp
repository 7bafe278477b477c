// `planetserve join`, `planetserve leave`, `planetserve invite`: a node in a network that others founded.

#include <iostream>

#include "apps/commands.h"
#include "apps/terminal.h"

namespace planetserve::apps {

namespace fs = std::filesystem;

namespace {

// What this node is to others. Nothing is said that nobody has looked at.
std::string what_others_get(const local::Joined& joined, const std::string& home) {
    const local::JoinedAs& joined_as = *joined.network.joined_as;
    std::string text = "  Relaying: ";
    if (!joined_as.advertise.empty())
        text +=
            "others are told to reach this machine at " + joined_as.advertise + "; nobody has tried whether they do";
    else if (joined.relays)
        text += "yes, for nodes of this machine: the whole network is on it";
    else
        text +=
            "no, for nobody was told how to reach this machine. Where a port of it can be reached:\n"
            "            planetserve join --advertise ADDRESS:PORT" +
            home;
    text += "\n  Serving:  " +
            (joined_as.serve.empty() ? "no model; one of the catalogue: planetserve join --serve MODEL" + home
                                     : joined_as.serve) +
            "\n\n";
    for (const auto& [command, what] :
         {std::pair("chat", "talk to it"), std::pair("status", "this node, its paths, the models"),
          std::pair("doctor", "find out what is wrong"), std::pair("down", "stop this node; join starts it again"),
          std::pair("leave", "leave the network")})
        text += "  planetserve " + std::string(command) + home +
                std::string(10 - std::string_view(command).size(), ' ') + what + "\n";
    return text;
}

}  // namespace

int join(local::JoinOptions options) {
    options.home = fs::absolute(options.home);
    std::cout << "Node in " << options.home.string() << "\n";
    PrintedSteps steps;
    auto joined = local::join(options, steps);
    if (!joined) return error_exit(joined.error().message);
    const std::string base = "http://127.0.0.1:" + std::to_string(joined->network.api_port);
    std::cout << "\n"
              << bold("Joined " + joined->network.joined_as->network + ".") << " Its API is OpenAI's, at "
              << bold(base + "/v1") << "\n\n"
              << what_others_get(*joined, local::NetworkHome(options.home).option());
    return 0;
}

int leave(const fs::path& path) {
    const local::NetworkHome home(fs::absolute(path));
    PrintedSteps steps;
    auto left = local::leave(home, steps);
    if (!left) return error_exit(left.error().message);
    std::cout << "The node left its network. Its keys stay in " << home.nodes().string() << "\n";
    return 0;
}

int invite(const InviteOptions& options) {
    const fs::path file = options.genesis.empty() ? local::NetworkHome(options.home).genesis() : options.genesis;
    if (!fs::exists(file))
        return error_exit("there is no network in " + options.home.string() +
                          " to invite to; name its genesis: planetserve invite --genesis FILE");
    auto made = local::invite(file);
    if (!made) return error_exit(made.error().message);
    if (made->only_this_machine)
        std::cerr << "The verification nodes of this network listen on this machine alone: the invite works on it, and "
                     "nowhere else. For others found a network: docs/operating.md.\n";
    std::cout << made->text << "\n";
    return 0;
}

}  // namespace planetserve::apps
