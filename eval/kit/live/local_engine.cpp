#include "eval/kit/live/local_engine.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "adapters/llama/llama_server.h"

namespace planetserve::eval {

namespace {

std::filesystem::path from_environment(const char* variable) {
    const char* value = std::getenv(variable);
    return value ? value : "";
}

}  // namespace

void LocalEngineOptions::add_options(CLI::App& app) {
    app.add_option("--engine", program, "llama-server (default: $PLANETSERVE_ENGINE/bin/llama-server)");
    app.add_option("--model-file", model_file,
                   "GGUF (default: SmolLM2-135M-Instruct.Q8_0.gguf in $PLANETSERVE_MODELS)");
    app.add_option("--threads", threads, "of each engine (default 1)")->check(CLI::Range(1, 256));
    app.add_option("--slots", slots, "requests at once in each engine (default 2)")->check(CLI::Range(1, 64));
    app.add_option("--cache-mib", cache_mib, "prompt cache of each engine in main memory (default 256)")
        ->check(CLI::Range(0, 1 << 20));
    app.add_flag("--flash-attention", flash_attention, "in each engine (default: off, as a model node's)");
}

Status LocalEngineOptions::resolve() {
    std::error_code error;
    if (program.empty()) {
        auto folder = from_environment("PLANETSERVE_ENGINE");
        if (folder.empty())
            return fail(ErrorCode::not_found, "no engine: run this by ./planetserve eval, or give --engine");
        program = folder / "bin/llama-server";
    }
    if (model_file.empty()) {
        auto folder = from_environment("PLANETSERVE_MODELS");
        if (folder.empty())
            return fail(ErrorCode::not_found, "no model: run this by ./planetserve eval, or give --model-file");
        model_file = folder / "SmolLM2-135M-Instruct.Q8_0.gguf";
    }
    for (const auto& path : {program, model_file})
        if (!std::filesystem::exists(path, error)) return fail(ErrorCode::not_found, "there is no " + path);
    return {};
}

Result<std::vector<std::unique_ptr<LocalServer>>> start_engines(boost::asio::io_context& context,
                                                                const LocalEngineOptions& options, std::size_t count,
                                                                const std::filesystem::path& log_folder) {
    std::vector<std::unique_ptr<LocalServer>> engines;
    for (std::size_t i = 0; i < count; ++i) {
        auto port = free_port();
        if (!port) return std::unexpected(port.error());
        LocalServerOptions server;
        server.name = "engine " + std::to_string(i + 1);
        server.base_url = "http://127.0.0.1:" + std::to_string(*port);
        server.log = log_folder / ("engine-" + std::to_string(i + 1) + ".log");
        server.argv = adapters::llama_server_command({.program = options.program,
                                                      .model_file = options.model_file,
                                                      .alias = local_model_name,
                                                      .host = "127.0.0.1",
                                                      .port = *port,
                                                      .slots = options.slots,
                                                      .context = options.context,
                                                      .threads = options.threads,
                                                      .cache_mib = options.cache_mib,
                                                      .flash_attention = options.flash_attention});
        auto started = LocalServer::start(context, std::move(server));
        if (!started) return std::unexpected(started.error());
        engines.push_back(std::move(*started));
    }
    return engines;
}

std::vector<std::string> urls_of(const std::vector<std::unique_ptr<LocalServer>>& servers) {
    std::vector<std::string> urls;
    for (const auto& server : servers) urls.push_back(server->base_url());
    return urls;
}

}  // namespace planetserve::eval
