// What a command needs of this machine beyond itself, for the script ./planetserve, which makes it ready.
#pragma once

#include <string>
#include <vector>

#include "apps/command_line.h"

namespace planetserve::apps {

// Words of: "program", a current build of it; "engine", the inference engine; "models", the default models; "cometbft".
// Empty for a command that starts nothing: it runs with the program as it is. A configuration or a genesis that cannot
// be read needs nothing: the command itself says what is wrong with it.
std::vector<std::string> needs_of(const Invocation& invocation);

// `planetserve needs ARGS...`: prints them, one a line.
int needs(const std::vector<std::string>& arguments);

}  // namespace planetserve::apps
