// A node's configuration: one YAML file a role (configs/*.example.yaml). Every key is optional unless it says
// otherwise; a key that does not exist is refused by name, with the ones that do.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapters/cometbft/cometbft_home.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "routing/decide.h"

namespace planetserve::apps {

struct CommonConfig {
    std::filesystem::path home;     // required: the node's keys, caches and run file
    std::filesystem::path genesis;  // required: which network to join
    // Where links are accepted; 127.0.0.1:0 takes a free port. Links are authenticated, so any address is safe to
    // listen on.
    std::string listen = "127.0.0.1:0";
    // The address others are told, when it is not the one listened on.
    std::optional<Endpoint> advertise;
    std::string log_level = "info";
    std::string operator_name;  // relays of one operator never share a path
};

struct UserConfig {
    CommonConfig common;
    std::optional<std::string> api_listen;  // "127.0.0.1:8400"; no API without it
    std::optional<std::string> api_key;
    std::size_t api_max_body = 16 << 20;
    std::size_t paths = 4;
    std::size_t path_length = 3;
    std::uint64_t path_lifetime_seconds = 600;
    std::uint8_t n = 4;
    std::uint8_t k = 3;
    std::size_t entry_relays = 6;
};

struct ServedModelConfig {
    std::string name;  // required
    // One of these: a name from the catalogue, a GGUF file, a URL of one with its sha256, or an OpenAI-compatible
    // server.
    std::optional<std::string> catalogue;
    std::optional<std::filesystem::path> file;
    std::optional<std::string> url;
    std::optional<std::string> sha256;
    std::optional<std::string> upstream;
    std::optional<std::string> upstream_key;
    // Where an upstream that is vLLM tells what its KV cache holds; the names are those of its --kv-events-config.
    struct KvEvents {
        std::string endpoint;
        std::optional<std::string> replay_endpoint;
        std::string topic;
    };
    std::optional<KvEvents> kv_events;
    std::uint32_t slots = 4;       // requests at once
    std::uint32_t context = 4096;  // tokens a slot
    std::uint32_t threads = 0;     // 0: all cores
    std::uint32_t cache_mib = 256;
    bool flash_attention = false;
    std::uint32_t queue = 32;  // requests that wait for a slot
};

// How a model node shares work with others that serve the same model (docs/protocols/routing.md).
struct RoutingConfig {
    bool forwarding = true;
    std::uint64_t sync_ms = 5000;  // between two words to the others
    std::uint32_t hash_bits = 32;  // 8, 16 or 32; the same on all nodes of a group
    // A node gets requests of ours once it has been listed so long.
    std::uint64_t listed_for_ms = 10'000;
    bool adapt_array = false;
    bool count_computing = true;
    routing::Parameters decision;
};

struct ModelConfig {
    CommonConfig common;
    std::optional<std::string> status_listen;  // the operator's endpoint; none without it
    RoutingConfig routing;
    std::vector<ServedModelConfig> models;  // at least one
};

struct VerifierConfig {
    CommonConfig common;
    // Those it has copies of, to score answers by; of others it has no opinion.
    std::vector<ServedModelConfig> models;
    // The conversations whose SHA-256 the genesis has, where it has one (verification_agent/prompt_pool.h).
    std::optional<std::filesystem::path> prompt_pool;
    std::optional<std::string> status_listen;  // the operator's endpoint; none without it
    // Of a committee: where the other validators' consensus engines connect, when it is not what the genesis says; and
    // CometBFT's program, when it is neither $PLANETSERVE_COMETBFT nor in PATH.
    std::optional<Endpoint> consensus_listen;
    std::optional<std::filesystem::path> consensus_program;
    // How an engine without blocks begins with a snapshot instead of with the first block.
    std::optional<adapters::StateSync> state_sync;
};

// An address to listen on, where port 0 takes a free one.
Result<Endpoint> parse_listen(const std::string& text);

// Each reads the file; errors name the file, the key and what was expected.
Result<UserConfig> load_user_config(const std::filesystem::path& file);
Result<ModelConfig> load_model_config(const std::filesystem::path& file);
Result<VerifierConfig> load_verifier_config(const std::filesystem::path& file);

}  // namespace planetserve::apps
