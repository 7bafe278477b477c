#include "eval/kit/live/local_server.h"

#include <boost/asio/steady_timer.hpp>
#include <fstream>
#include <iterator>

#include "eval/workload/simple_get.h"

namespace planetserve::eval {

namespace {

std::string end_of(const std::filesystem::path& log) {
    std::ifstream file(log, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    constexpr std::size_t shown = 1000;
    if (text.size() > shown) text.erase(0, text.size() - shown);
    return text;
}

}  // namespace

void pause(boost::asio::io_context& context, Duration duration) {
    bool over = false;
    boost::asio::steady_timer timer(context, duration);
    timer.async_wait([&over](boost::system::error_code) { over = true; });
    while (!over) {
        if (context.stopped()) context.restart();
        context.run_one();
    }
}

Result<std::unique_ptr<LocalServer>> LocalServer::start(boost::asio::io_context& context, LocalServerOptions options) {
    std::unique_ptr<LocalServer> server(new LocalServer(std::move(options)));
    const LocalServerOptions& given = server->options_;
    auto process = adapters::ChildProcess::start(
        context, given.argv, given.log,
        [of = server.get()](adapters::ProcessEnd end) { of->ended_ = std::move(end.words); });
    if (!process) return std::unexpected(process.error());
    server->process_ = std::move(*process);
    given.on_process(server->pid());
    if (given.health_path.empty()) return server;
    SystemClock clock;
    for (Time end = clock.now() + given.start_deadline; clock.now() < end;) {
        if (auto health = fetch(context, given.base_url, given.health_path, 5s); health) return server;
        if (!server->ended_.empty()) break;
        pause(context, 100ms);
    }
    std::string why = server->ended_.empty() ? "does not answer at " + given.health_path : server->ended_;
    return fail(ErrorCode::unavailable,
                given.name + " " + why + "; the end of " + given.log.string() + ":\n" + end_of(given.log));
}

}  // namespace planetserve::eval
