#include "adapters/llama/llama_server.h"

#include <algorithm>
#include <thread>

namespace planetserve::adapters {

std::vector<std::string> llama_server_command(const LlamaServerOptions& options) {
    std::vector<std::string> argv{options.program.string(), "--host", options.host, "-m", options.model_file.string()};
    auto add = [&](const char* name, std::string value) {
        argv.emplace_back(name);
        argv.push_back(std::move(value));
    };
    std::uint32_t threads = options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
    if (options.port) add("--port", std::to_string(*options.port));
    if (!options.alias.empty()) add("--alias", options.alias);
    add("-np", std::to_string(options.slots));
    add("-c", std::to_string(std::uint64_t{options.slots} * options.context));
    add("-t", std::to_string(threads));
    if (options.http_threads) add("--threads-http", std::to_string(*options.http_threads));
    add("--cache-ram", std::to_string(options.cache_mib));
    add("-fa", options.flash_attention ? "on" : "off");
    // Nobody but the node asks it, and a page of all requests is of no use to the node.
    argv.insert(argv.end(), {"--metrics", "--no-webui", "--no-slots"});
    argv.insert(argv.end(), options.extra_arguments.begin(), options.extra_arguments.end());
    return argv;
}

}  // namespace planetserve::adapters
