// llama-servers on this machine, for experiments that compare what stands in front of them.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eval/kit/live/local_server.h"

namespace planetserve::eval {

struct LocalEngineOptions {
    std::string program;     // default: $PLANETSERVE_ENGINE/bin/llama-server
    std::string model_file;  // default: the small default model in $PLANETSERVE_MODELS
    unsigned threads = 1;
    unsigned slots = 2;
    unsigned context = 2048;   // tokens a slot
    unsigned cache_mib = 256;  // prompt cache in main memory; a model node's default
    bool flash_attention = false;

    void add_options(CLI::App& app);
    // Fills in what was not given. not_found with what to do.
    Status resolve();
};

// The name under which the engines serve their model.
inline constexpr const char* local_model_name = "local";

// So many engines with empty caches, on ports of their own. REQUIRES: options are resolved.
Result<std::vector<std::unique_ptr<LocalServer>>> start_engines(boost::asio::io_context& context,
                                                                const LocalEngineOptions& options, std::size_t count,
                                                                const std::filesystem::path& log_folder);

std::vector<std::string> urls_of(const std::vector<std::unique_ptr<LocalServer>>& servers);

}  // namespace planetserve::eval
