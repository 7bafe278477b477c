// One entry of a configuration's list `models`: where a model comes from and how it is run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace planetserve::config {

// Where an upstream that is vLLM publishes what its KV cache holds. The names are those of its --kv-events-config.
struct KvEventsConfig {
    std::string endpoint;  // required: tcp://HOST:PORT or ipc://PATH, as this machine reaches it
    std::optional<std::string> replay_endpoint;
    std::string topic;
};

struct ServedModelConfig {
    std::string name;  // required
    // Exactly one source: a name from the catalogue, a GGUF file, a URL of one with its sha256, or an OpenAI-compatible
    // server.
    std::optional<std::string> catalogue;
    std::optional<std::filesystem::path> file;
    std::optional<std::string> url;
    std::optional<std::string> sha256;
    std::optional<std::string> upstream;
    std::optional<std::string> upstream_key;
    // Hosts whose pictures the upstream may fetch for users; only with an upstream.
    std::vector<std::string> media_hosts;
    // Whether users may send grammars and regular expressions (inference/grammar_check.h).
    bool grammars = false;
    std::optional<KvEventsConfig> kv_events;  // only with an upstream
    std::uint32_t slots = 4;                  // requests at once
    std::uint32_t context = 4096;             // tokens a slot
    std::uint32_t threads = 0;                // 0: all cores
    std::uint32_t cache_mib = 256;
    bool flash_attention = false;
    std::uint32_t queue = 32;  // requests that wait for a slot
};

}  // namespace planetserve::config
