#include "eval/kit/live/local_server.h"

#include <gtest/gtest.h>

#include "adapters/llama/test_support.h"

namespace planetserve::eval {
namespace {

TEST(LocalServer, SaysWhyItDidNotStart) {
    adapters::testing_support::TemporaryFolder folder;
    boost::asio::io_context context;
    auto port = free_port();
    ASSERT_TRUE(port);
    LocalServerOptions options;
    options.name = "shell";
    options.base_url = "http://127.0.0.1:" + std::to_string(*port);
    options.log = folder.path / "log";
    options.argv = {"/bin/sh", "-c", "echo out of order; exit 3"};
    auto started = LocalServer::start(context, options);
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().message.contains("shell exited with status 3")) << started.error().message;
    EXPECT_TRUE(started.error().message.contains("out of order")) << started.error().message;
}

TEST(LocalServer, GivesUpOnOneThatNeverAnswers) {
    adapters::testing_support::TemporaryFolder folder;
    boost::asio::io_context context;
    LocalServerOptions options;
    options.name = "sleeper";
    options.base_url = "unix:" + (folder.path / "nobody").string();
    options.log = folder.path / "log";
    options.argv = {"/bin/sleep", "600"};
    options.start_deadline = 300ms;
    auto started = LocalServer::start(context, options);
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().message.contains("does not answer at /health")) << started.error().message;
}

}  // namespace
}  // namespace planetserve::eval
