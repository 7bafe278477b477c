// `planetserve user`, `planetserve model`, `planetserve verifier`: one node, until it is asked to stop.

#include "apps/commands.h"
#include "apps/terminal.h"
#include "roles/node_processes.h"

namespace planetserve::apps {

namespace {

template <typename Config>
int run(const Result<Config>& config, Status (*run_node)(const Config&)) {
    if (!config) return error_exit(config.error().message);
    const Status ran = run_node(*config);
    return ran ? 0 : error_exit(ran.error().message);
}

}  // namespace

int user(const std::filesystem::path& config) { return run(config::load_user_config(config), roles::run_user_node); }
int model(const std::filesystem::path& config) { return run(config::load_model_config(config), roles::run_model_node); }
int verifier(const std::filesystem::path& config) {
    return run(config::load_verifier_config(config), roles::run_verification_node);
}

}  // namespace planetserve::apps
