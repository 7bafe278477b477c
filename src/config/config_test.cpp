// Every key, its default, and what is refused.

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "config/model_config.h"
#include "config/user_config.h"
#include "config/verifier_config.h"

namespace planetserve::config {
namespace {

namespace fs = std::filesystem;

constexpr const char* required = "home: /srv/node\ngenesis: /srv/genesis.json\n";
constexpr const char* one_model = "models: [{name: m, catalogue: c}]\n";

class Config : public testing::Test {
protected:
    Config() : file_(fs::temp_directory_path() / ("planetserve-config-" + std::to_string(getpid()) + ".yaml")) {}
    ~Config() override { fs::remove(file_); }

    const fs::path& write(const std::string& text) const {
        std::ofstream(file_) << text;
        return file_;
    }
    Result<UserConfig> user(const std::string& text) const { return load_user_config(write(required + text)); }
    Result<ModelConfig> model(const std::string& text) const { return load_model_config(write(required + text)); }
    Result<VerifierConfig> verifier(const std::string& text) const {
        return load_verifier_config(write(required + text));
    }
    // A model node of one model with these keys.
    Result<ModelConfig> served(const std::string& keys) const { return model("models: [{name: m, " + keys + "}]\n"); }

    template <typename T>
    static void expect_refused(const Result<T>& result, const std::string& words) {
        ASSERT_FALSE(result) << words;
        EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
    }

    fs::path file_;
};

TEST_F(Config, OriginsOfWebPages) {
    auto config = user("api: {allowed_origins: ['https://a.example', 'http://localhost:3000', 'app://obsidian.md']}\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->api_allowed_origins.size(), 3U);
    for (std::string wrong :
         {"*", "null", "a.example", "https://a.example/", "https://A.example", "https://*.example", "://a"})
        expect_refused(user("api: {allowed_origins: ['" + wrong + "']}\n"), "is not a page's origin");
    expect_refused(user("api: {allowed_origins: 'https://a.example'}\n"), "must be a list");
    expect_refused(user("api: {key: ''}\n"), "'api.key' is empty");
}

TEST_F(Config, UserDefaults) {
    auto config = user("");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->common.home, "/srv/node");
    EXPECT_EQ(config->common.genesis, "/srv/genesis.json");
    EXPECT_EQ(config->common.listen, "127.0.0.1:0");
    EXPECT_FALSE(config->common.advertise);
    EXPECT_EQ(config->common.log_level, LogLevel::info);
    EXPECT_EQ(config->common.operator_name, "");
    EXPECT_TRUE(config->relay);
    EXPECT_FALSE(config->api_listen);
    EXPECT_FALSE(config->api_key);
    EXPECT_EQ(config->api_max_body, 16'777'216U);
    EXPECT_EQ(config->paths, 4U);
    EXPECT_EQ(config->path_length, 3U);
    EXPECT_EQ(config->path_lifetime_seconds, 600U);
    EXPECT_EQ(config->n, 4);
    EXPECT_EQ(config->k, 3);
    EXPECT_EQ(config->entry_relays, 6U);
}

TEST_F(Config, UserKeys) {
    auto config = user(
        "listen: 0.0.0.0:7701\nadvertise: relay.example.org:7701\nlog_level: debug\noperator: us\n"
        "relay: {enabled: false}\n"
        "api: {listen: '127.0.0.1:8400', key: secret, max_body: 1000}\n"
        "paths: {count: 6, length: 2, lifetime_seconds: 60, n: 5, k: 3, entry_relays: 9}\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->common.listen, "0.0.0.0:7701");
    EXPECT_EQ(config->common.advertise, (Endpoint{"relay.example.org", 7701}));
    EXPECT_EQ(config->common.log_level, LogLevel::debug);
    EXPECT_EQ(config->common.operator_name, "us");
    EXPECT_FALSE(config->relay);
    EXPECT_EQ(config->api_listen, "127.0.0.1:8400");
    EXPECT_EQ(config->api_key, "secret");
    EXPECT_EQ(config->api_max_body, 1000U);
    EXPECT_EQ(config->paths, 6U);
    EXPECT_EQ(config->path_length, 2U);
    EXPECT_EQ(config->path_lifetime_seconds, 60U);
    EXPECT_EQ(config->n, 5);
    EXPECT_EQ(config->k, 3);
    EXPECT_EQ(config->entry_relays, 9U);
    EXPECT_TRUE(config->family.empty());
}

TEST_F(Config, AFamilyIsOfNodeIds) {
    const std::string one(64, 'a'), other(64, '7');
    auto config = user("family: ['" + one + "', '" + other + "']\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->family, (std::vector{*NodeId::from_hex(one), *NodeId::from_hex(other)}));
    expect_refused(user("family: us\n"), ":3: 'family': must be a list of at most 64 node ids");
    expect_refused(user("family: [us]\n"), ":3: 'family': must be node ids, of 64 hexadecimal digits each");
}

TEST_F(Config, ModelDefaults) {
    auto config = model(one_model);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_FALSE(config->status_listen);
    EXPECT_TRUE(config->routing.forwarding);
    EXPECT_EQ(config->routing.sync_ms, 5000U);
    EXPECT_EQ(config->routing.hash_bits, 32U);
    EXPECT_EQ(config->routing.listed_for_ms, 10'000U);
    EXPECT_FALSE(config->routing.adapt_array);
    EXPECT_TRUE(config->routing.count_computing);
    ASSERT_EQ(config->models.size(), 1U);
    const ServedModelConfig& served = config->models[0];
    EXPECT_EQ(served.name, "m");
    EXPECT_EQ(served.catalogue, "c");
    EXPECT_FALSE(served.kv_events);
    EXPECT_EQ(served.slots, 4U);
    EXPECT_EQ(served.context, 4096U);
    EXPECT_EQ(served.threads, 0U);
    EXPECT_EQ(served.cache_mib, 256U);
    EXPECT_FALSE(served.flash_attention);
    EXPECT_EQ(served.queue, 32U);
}

TEST_F(Config, ModelKeys) {
    auto config = model(
        "status: {listen: '127.0.0.1:9090'}\n"
        "routing: {forwarding: false, sync_ms: 100, hash_bits: 8, listed_for_ms: 0, adapt_array: true,\n"
        "          without: [count_computing, count_in_flight, count_others, expected_cost, ignore_common_part,\n"
        "                    prefer_partial_holders, spread_ties]}\n"
        "models:\n"
        "  - {name: a, file: /m.gguf, sha256: ab, slots: 1, context: 128, threads: 2, cache_mib: 0,\n"
        "     flash_attention: true, queue: 0}\n"
        "  - {name: b, url: 'https://example.org/b.gguf', sha256: cd}\n"
        "  - {name: c, upstream: 'http://127.0.0.1:8000', upstream_key: secret, grammars: true,\n"
        "     media_hosts: [pictures.example],\n"
        "     kv_events: {endpoint: 'tcp://127.0.0.1:5557', replay_endpoint: 'ipc:///tmp/replay', topic: kv}}\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->status_listen, "127.0.0.1:9090");
    const RoutingConfig& routing = config->routing;
    EXPECT_FALSE(routing.forwarding);
    EXPECT_EQ(routing.sync_ms, 100U);
    EXPECT_EQ(routing.hash_bits, 8U);
    EXPECT_EQ(routing.listed_for_ms, 0U);
    EXPECT_TRUE(routing.adapt_array);
    EXPECT_FALSE(routing.count_computing);
    EXPECT_FALSE(routing.decision.count_in_flight);
    EXPECT_FALSE(routing.decision.count_others);
    EXPECT_FALSE(routing.decision.expected_cost);
    EXPECT_FALSE(routing.decision.ignore_common_part);
    EXPECT_FALSE(routing.decision.prefer_partial_holders);
    EXPECT_FALSE(routing.decision.spread_ties);
    ASSERT_EQ(config->models.size(), 3U);
    const ServedModelConfig& first = config->models[0];
    EXPECT_EQ(first.file, "/m.gguf");
    EXPECT_EQ(first.sha256, "ab");
    EXPECT_EQ(first.slots, 1U);
    EXPECT_EQ(first.context, 128U);
    EXPECT_EQ(first.threads, 2U);
    EXPECT_EQ(first.cache_mib, 0U);
    EXPECT_TRUE(first.flash_attention);
    EXPECT_EQ(first.queue, 0U);
    EXPECT_EQ(config->models[1].url, "https://example.org/b.gguf");
    EXPECT_EQ(config->models[2].upstream, "http://127.0.0.1:8000");
    EXPECT_EQ(config->models[2].upstream_key, "secret");
    EXPECT_EQ(config->models[2].media_hosts, std::vector<std::string>{"pictures.example"});
    EXPECT_TRUE(config->models[2].grammars);
    ASSERT_TRUE(config->models[2].kv_events);
    EXPECT_EQ(config->models[2].kv_events->endpoint, "tcp://127.0.0.1:5557");
    EXPECT_EQ(config->models[2].kv_events->replay_endpoint, "ipc:///tmp/replay");
    EXPECT_EQ(config->models[2].kv_events->topic, "kv");
}

TEST_F(Config, VerifierDefaults) {
    auto config = verifier("");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(config->models.empty());
    EXPECT_FALSE(config->prompt_pool);
    EXPECT_FALSE(config->status_listen);
    EXPECT_FALSE(config->consensus_listen);
    EXPECT_FALSE(config->consensus_program);
    EXPECT_FALSE(config->state_sync);
}

TEST_F(Config, VerifierKeys) {
    const std::string hash(64, 'A');
    auto config = verifier(
        "models: [{name: m, catalogue: c, context: 2048}]\nprompt_pool: /srv/pool\nstatus: {listen: '127.0.0.1:8500'}\n"
        "consensus: {listen: '0.0.0.0:26656', program: /usr/bin/cometbft,\n"
        "            state_sync: {servers: ['unix:///a', 'unix:///b'], height: 12, hash: " +
        hash + "}}\n");
    ASSERT_TRUE(config) << config.error().message;
    ASSERT_EQ(config->models.size(), 1U);
    EXPECT_EQ(config->models[0].context, 2048U);
    EXPECT_EQ(config->prompt_pool, "/srv/pool");
    EXPECT_EQ(config->status_listen, "127.0.0.1:8500");
    EXPECT_EQ(config->consensus_listen, (Endpoint{"0.0.0.0", 26656}));
    EXPECT_EQ(config->consensus_program, "/usr/bin/cometbft");
    ASSERT_TRUE(config->state_sync);
    EXPECT_EQ(config->state_sync->servers, (std::vector<std::string>{"unix:///a", "unix:///b"}));
    EXPECT_EQ(config->state_sync->height, 12);
    EXPECT_EQ(config->state_sync->hash, hash);
}

TEST_F(Config, LogLevels) {
    const std::vector<std::pair<std::string, LogLevel>> accepted{
        {"trace", LogLevel::trace},       {"debug", LogLevel::debug},  {"info", LogLevel::info},
        {"warning", LogLevel::warning},   {"warn", LogLevel::warning}, {"error", LogLevel::error},
        {"critical", LogLevel::critical}, {"off", LogLevel::off}};
    for (const auto& [word, level] : accepted) {
        auto config = user("log_level: " + word + "\n");
        ASSERT_TRUE(config) << word << ": " << config.error().message;
        EXPECT_EQ(config->common.log_level, level) << word;
    }
    expect_refused(user("log_level: verbose\n"),
                   ":3: 'log_level': must be one of trace, debug, info, warning, error, critical, off");
}

TEST_F(Config, UnknownKeysAreRefusedByName) {
    expect_refused(user("pahts: {count: 4}\n"),
                   ":3: unknown key 'pahts'; there are: advertise, api, family, genesis, home, listen, log_level, "
                   "operator, paths");
    expect_refused(user("paths: {numbre: 4}\n"), "unknown key 'paths.numbre'");
    expect_refused(user("api: {port: 4}\n"),
                   "unknown key 'api.port'; there are: allowed_origins, key, listen, max_body");
    expect_refused(model("models: [{nmae: m}]\n"), "unknown key 'models.nmae'");
    expect_refused(model("routing: {sync: 4}\n"), "unknown key 'routing.sync'");
    expect_refused(model("status: {port: 4}\n"), "unknown key 'status.port'");
    expect_refused(served("upstream: u, kv_events: {endpoint: 'tcp://h:1', replay: x}"),
                   "unknown key 'models.kv_events.replay'");
    expect_refused(verifier("consensus: {engine: x}\n"), "unknown key 'consensus.engine'");
    expect_refused(verifier("consensus: {state_sync: {hieght: 1}}\n"), "unknown key 'consensus.state_sync.hieght'");
    expect_refused(verifier("api: {listen: x}\n"), "unknown key 'api'");
}

TEST_F(Config, RequiredKeys) {
    expect_refused(load_user_config(write("genesis: g\n")), "the key 'home' is missing");
    expect_refused(load_model_config(write("home: h\n" + std::string(one_model))), "the key 'genesis' is missing");
    expect_refused(load_verifier_config(write("home: h\n")), "the key 'genesis' is missing");
    expect_refused(model(""), "'models' must name at least one model");
    expect_refused(model("models: []\n"), "'models' must name at least one model");
}

TEST_F(Config, FilesThatCannotBeRead) {
    auto missing = load_user_config("/nonexistent/config.yaml");
    expect_refused(missing, "cannot read the configuration /nonexistent/config.yaml");
    EXPECT_EQ(missing.error().code, ErrorCode::io);
    expect_refused(load_user_config(write("home: [\n")), file_.string() + ":");
    expect_refused(load_user_config(write("just words\n")), "must be a mapping of keys to values");
}

TEST_F(Config, NumbersOutOfRange) {
    expect_refused(user("paths: {count: 0}\n"), ":3: 'paths.count': must be a whole number from 1 to 32");
    expect_refused(user("paths: {count: 33}\n"), "'paths.count': must be a whole number from 1 to 32");
    expect_refused(user("paths: {length: 9}\n"), "'paths.length': must be a whole number from 1 to 8");
    expect_refused(user("paths: {lifetime_seconds: 59}\n"), "from 60 to 3600");
    expect_refused(user("paths: {entry_relays: 65}\n"), "from 1 to 64");
    expect_refused(user("paths: {count: -1}\n"), "'paths.count': must be a whole number");
    expect_refused(user("paths: {count: four}\n"), "'paths.count': must be a whole number");
    expect_refused(user("paths: {count: [4]}\n"), "'paths.count': must be a whole number");
    expect_refused(user("api: {max_body: 0}\n"), "'api.max_body': must be a whole number from 1 to 1073741824");
    expect_refused(model("routing: {sync_ms: 99}\n"), "from 100 to 60000");
    expect_refused(model("routing: {listed_for_ms: 600001}\n"), "from 0 to 600000");
    expect_refused(model("routing: {hash_bits: 24}\n"), "'routing.hash_bits': must be 8, 16 or 32");
    expect_refused(served("catalogue: c, slots: 0"), "'models.slots': must be a whole number from 1 to 1024");
    expect_refused(served("catalogue: c, context: 127"), "from 128 to 4194304");
    expect_refused(served("catalogue: c, threads: 1025"), "from 0 to 1024");
    expect_refused(served("catalogue: c, cache_mib: 1048577"), "from 0 to 1048576");
    expect_refused(served("catalogue: c, queue: 10001"), "from 0 to 10000");
}

TEST_F(Config, OtherBadValues) {
    expect_refused(user("advertise: nowhere\n"), "'advertise': 'nowhere' is not an address");
    expect_refused(user("operator: [a, b]\n"), "'operator': must be text");
    expect_refused(user("paths: 4\n"), "'paths': must be a mapping of keys to values");
    expect_refused(model("routing: {forwarding: maybe}\n"), "'routing.forwarding': must be true or false");
    expect_refused(model("routing: {without: spread_ties}\n"), "'routing.without': must be a list");
    expect_refused(model("routing: {without: [luck]}\n"), "'routing.without': knows no 'luck'; there are: ");
    expect_refused(model("models: m\n"), "'models': must be a list");
}

TEST_F(Config, ValuesThatContradictEachOther) {
    expect_refused(user("paths: {n: 4, k: 5}\n"), "'paths.k' must not be more than 'paths.n'");
    expect_refused(user("paths: {n: 4, k: 1}\n"), "'paths.n' must not be more than twice 'paths.k'");
    expect_refused(user("paths: {count: 9, n: 9, k: 9}\n"), "'paths.n'");
    expect_refused(user("paths: {count: 3}\n"), "'paths.count' must be at least 'paths.n'");
    expect_refused(model("models: [{catalogue: c}]\n"), "a model without a 'name'");
    expect_refused(served("slots: 1"), "model 'm' needs exactly one of: catalogue, file, url, upstream");
    expect_refused(served("catalogue: c, file: f"), "needs exactly one of");
    expect_refused(served("url: 'http://x'"), "needs its sha256");
    expect_refused(served("catalogue: c, kv_events: {endpoint: 'tcp://h:1'}"), "only an 'upstream' that is vLLM");
    expect_refused(served("catalogue: c, media_hosts: [h]"), "only an 'upstream' reads pictures");
    expect_refused(served("upstream: u, media_hosts: h"), "must be a list");
    expect_refused(served("upstream: u, kv_events: {topic: t}"), "'models.kv_events': needs an 'endpoint'");
    expect_refused(served("upstream: u, kv_events: {endpoint: 'http://h:1'}"),
                   "neither tcp://HOST:PORT nor ipc://PATH");
    expect_refused(served("upstream: u, kv_events: {endpoint: 'tcp://*:1'}"), "neither tcp://HOST:PORT nor ipc://PATH");
    expect_refused(verifier("models: [{name: m, upstream: u}]\n"), "a verification node scores by a copy of its own");
    expect_refused(verifier("consensus: {state_sync: {height: 1}}\n"), "needs at least two 'servers'");
}

TEST(Listen, TakesPortZero) {
    EXPECT_EQ(*parse_listen("127.0.0.1:0"), (Endpoint{"127.0.0.1", 0}));
    EXPECT_EQ(*parse_listen("127.0.0.1:80"), (Endpoint{"127.0.0.1", 80}));
    EXPECT_FALSE(parse_listen("127.0.0.1"));
    EXPECT_FALSE(parse_listen(":0"));
}

TEST(Examples, AreAccepted) {
    const fs::path folder = PLANETSERVE_CONFIGS;
    auto user = load_user_config(folder / "user.example.yaml");
    EXPECT_TRUE(user) << user.error().message;
    auto model = load_model_config(folder / "model.example.yaml");
    EXPECT_TRUE(model) << model.error().message;
    auto verifier = load_verifier_config(folder / "verifier.example.yaml");
    EXPECT_TRUE(verifier) << verifier.error().message;
}

// The names that an error about an unknown key lists.
std::vector<std::string> known_keys(const std::string& message) {
    const std::string before = "; there are: ";
    std::istringstream list(message.substr(message.find(before) + before.size()));
    std::vector<std::string> names;
    for (std::string name; std::getline(list >> std::ws, name, ',');) names.push_back(name);
    return names;
}

TEST_F(Config, ExamplesNameEveryKey) {
    auto expect_named = [](const char* example, const std::string& message) {
        std::ifstream in(fs::path(PLANETSERVE_CONFIGS) / example);
        const std::string text((std::istreambuf_iterator<char>(in)), {});
        for (const std::string& name : known_keys(message))
            EXPECT_NE(text.find(" " + name + ":"), text.find("\n" + name + ":")) << example << " lacks " << name;
    };
    for (const char* where : {"none: 1", "api: {none: 1}", "paths: {none: 1}"})
        expect_named("user.example.yaml", user(where).error().message);
    for (const char* where : {"none: 1", "routing: {none: 1}", "status: {none: 1}", "models: [{none: 1}]",
                              "models: [{name: m, upstream: u, kv_events: {none: 1}}]"})
        expect_named("model.example.yaml", model(where).error().message);
    for (const char* where :
         {"none: 1", "status: {none: 1}", "consensus: {none: 1}", "consensus: {state_sync: {none: 1}}"})
        expect_named("verifier.example.yaml", verifier(where).error().message);
}

}  // namespace
}  // namespace planetserve::config
