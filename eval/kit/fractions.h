// The option --f of the experiments about malicious nodes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace planetserve::eval {

inline CLI::Option* add_fractions(CLI::App& app, std::vector<double>& fractions, const std::string& standard) {
    return app.add_option("--f", fractions, "shares of malicious nodes, as in 0.01,0.1 (default " + standard + ")")
        ->delimiter(',')
        ->check(CLI::Range(0.0, 1.0));
}

// As it stands in a name: 0.05, not 0.050000.
inline std::string fraction_name(double f) {
    std::ostringstream text;
    text << f;
    return text.str();
}

}  // namespace planetserve::eval
