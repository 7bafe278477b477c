#include "eval/peers/routers.h"

namespace planetserve::eval {

ContestArm router_arm(std::string name, std::string what, std::string python, std::string module,
                      RouterBalance balance) {
    auto open = [=](boost::asio::io_context& context, const std::vector<std::string>& engines,
                    const std::filesystem::path& log_folder) -> Result<Front> {
        auto port = free_port();
        auto metrics_port = free_port();
        if (!port || !metrics_port) return std::unexpected((port ? metrics_port : port).error());
        LocalServerOptions options;
        options.name = name;
        options.base_url = "http://127.0.0.1:" + std::to_string(*port);
        options.log = log_folder / (name + ".log");
        options.argv = {python, "-m", module, "--host", "127.0.0.1", "--port", std::to_string(*port), "--worker-urls"};
        options.argv.insert(options.argv.end(), engines.begin(), engines.end());
        const std::vector<std::string> settings{"--policy",
                                                "cache_aware",
                                                "--balance-abs-threshold",
                                                balance.absolute,
                                                "--balance-rel-threshold",
                                                balance.relative,
                                                "--prometheus-host",
                                                "127.0.0.1",
                                                "--prometheus-port",
                                                std::to_string(*metrics_port),
                                                "--log-level",
                                                "warn"};
        options.argv.insert(options.argv.end(), settings.begin(), settings.end());
        // Ready when it knows its workers, not when it listens.
        options.health_path = "/readiness";
        auto server = LocalServer::start(context, std::move(options));
        if (!server) return std::unexpected(server.error());
        Front front{{(*server)->base_url()}, local_model_name};
        front.servers.push_back(std::move(*server));
        return front;
    };
    return {name, std::move(what), true, std::move(open)};
}

}  // namespace planetserve::eval
