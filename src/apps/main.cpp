// The command line: reads it and calls the verb.

#include <curl/curl.h>

#include <iostream>

#include "apps/command_line.h"
#include "apps/needs.h"
#include "apps/terminal.h"

using namespace planetserve;

namespace {

int run(const apps::Invocation& invocation) {
    using apps::Verb;
    switch (invocation.verb) {
        case Verb::up:
            return apps::up(invocation.up);
        case Verb::down:
            return apps::down(invocation.home);
        case Verb::join:
            return apps::join(invocation.join);
        case Verb::leave:
            return apps::leave(invocation.home);
        case Verb::invite:
            return apps::invite(invocation.invite);
        case Verb::status:
            return apps::status(invocation.home, invocation.status_form);
        case Verb::audit:
            return apps::audit(invocation.home);
        case Verb::doctor:
            return apps::doctor(invocation.home);
        case Verb::chat:
            return apps::chat(invocation.chat);
        case Verb::id:
            return apps::id(invocation.home);
        case Verb::genesis:
            return apps::genesis(invocation.genesis);
        case Verb::user:
            return apps::user(invocation.config);
        case Verb::model:
            return apps::model(invocation.config);
        case Verb::verifier:
            return apps::verifier(invocation.config);
        case Verb::none:
            break;
    }
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!arguments.empty() && arguments[0] == "needs") return apps::needs({arguments.begin() + 1, arguments.end()});
    apps::CommandLine line;
    try {
        return run(line.parse(arguments));
    } catch (const CLI::ParseError& error) {
        return line.explain(error);
    } catch (const std::exception& error) {
        return apps::error_exit(error.what());
    }
}
