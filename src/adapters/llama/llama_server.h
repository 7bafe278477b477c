// How a llama-server is started: the one place that knows its command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace planetserve::adapters {

struct LlamaServerOptions {
    std::filesystem::path program;     // llama-server
    std::filesystem::path model_file;  // GGUF
    std::string alias = {};  // the model's name in its replies; empty: what the engine makes of the file's name
    std::string host;        // an address, or the path of a unix socket that ends in ".sock"
    std::optional<std::uint16_t> port = {};          // with an address
    std::uint32_t slots = 4;                         // requests at once
    std::uint32_t context = 4096;                    // tokens a slot
    std::uint32_t threads = 0;                       // 0: all cores
    std::optional<std::uint32_t> http_threads = {};  // the engine's own default where it is not given
    std::uint32_t cache_mib = 256;                   // prompt cache in main memory
    // On a processor it makes adding a few tokens to a cached prompt 10 times as slow, and a long new prompt a third
    // faster. Turn it on for a GPU.
    bool flash_attention = false;
    std::vector<std::string> extra_arguments = {};  // after all others
};

// The program and its arguments.
std::vector<std::string> llama_server_command(const LlamaServerOptions& options);

}  // namespace planetserve::adapters
