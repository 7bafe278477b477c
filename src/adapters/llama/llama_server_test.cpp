#include "adapters/llama/llama_server.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace planetserve::adapters {
namespace {

using Command = std::vector<std::string>;

TEST(LlamaServer, IsGivenAllOfItsOptions) {
    LlamaServerOptions options{.program = "/e/bin/llama-server",
                               .model_file = "/m/model.gguf",
                               .alias = "small",
                               .host = "/run/e.sock",
                               .slots = 3,
                               .context = 512,
                               .threads = 7,
                               .http_threads = 10,
                               .cache_mib = 16,
                               .flash_attention = true,
                               .extra_arguments = {"--seed", "1"}};
    EXPECT_EQ(llama_server_command(options), (Command{"/e/bin/llama-server",
                                                      "--host",
                                                      "/run/e.sock",
                                                      "-m",
                                                      "/m/model.gguf",
                                                      "--alias",
                                                      "small",
                                                      "-np",
                                                      "3",
                                                      "-c",
                                                      "1536",
                                                      "-t",
                                                      "7",
                                                      "--threads-http",
                                                      "10",
                                                      "--cache-ram",
                                                      "16",
                                                      "-fa",
                                                      "on",
                                                      "--metrics",
                                                      "--no-webui",
                                                      "--no-slots",
                                                      "--seed",
                                                      "1"}));
}

TEST(LlamaServer, LeavesOutWhatIsNotGiven) {
    LlamaServerOptions options{.program = "llama-server",
                               .model_file = "m.gguf",
                               .host = "127.0.0.1",
                               .port = std::uint16_t{8080},
                               .threads = 1};
    EXPECT_EQ(llama_server_command(options),
              (Command{"llama-server", "--host", "127.0.0.1", "-m",        "m.gguf",     "--port",    "8080",
                       "-np",          "4",      "-c",        "16384",     "-t",         "1",         "--cache-ram",
                       "256",          "-fa",    "off",       "--metrics", "--no-webui", "--no-slots"}));
}

TEST(LlamaServer, ManySlotsOfALongContextDoNotOverflow) {
    LlamaServerOptions options{.program = "llama-server",
                               .model_file = "m.gguf",
                               .host = "h",
                               .slots = 1024,
                               .context = 1U << 30,
                               .threads = 1};
    Command command = llama_server_command(options);
    auto at = std::ranges::find(command, "-c");
    ASSERT_NE(at, command.end());
    EXPECT_EQ(*std::next(at), std::to_string(std::uint64_t{1} << 40));
}

TEST(LlamaServer, WithoutANumberOfThreadsItHasAtLeastOne) {
    Command command = llama_server_command({.program = "llama-server", .model_file = "m.gguf", .host = "h"});
    auto at = std::ranges::find(command, "-t");
    ASSERT_NE(at, command.end());
    EXPECT_GE(std::stoi(*std::next(at)), 1);
}

}  // namespace
}  // namespace planetserve::adapters
