#include "eval/peers/peers_experiment.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "eval/kit/live/live_work.h"
#include "eval/peers/routers.h"

namespace planetserve::eval {

namespace {

class PeersExperiment final : public Experiment {
public:
    std::string_view name() const override { return "peers"; }
    std::string_view description() const override {
        return "the same conversations through round-robin, sglang-router, smg and this network";
    }
    Basis basis() const override { return Basis::live; }
    std::string_view example() const override { return "--out results --trace conversation_trace.jsonl"; }
    bool runs_alone() const override { return false; }
    std::vector<std::string_view> needs() const override { return {"engine", "models", "routers"}; }

    void add_options(CLI::App& app) override {
        contest_.add_options(app);
        app.add_option("--trace", trace_,
                       "in Mooncake's format (default: conversation_trace.jsonl in $PLANETSERVE_TRACES)");
        app.add_option("--requests", requests_, "in each arm (default 120; --quick 30)")->check(CLI::Range(2, 100'000));
        app.add_option(
               "--arms", arms_,
               "which: round_robin sglang_router sglang_router_tuned smg smg_tuned planetserve (default: all there "
               "is what for)")
            ->delimiter(',')
            ->check(CLI::IsMember(
                {"round_robin", "sglang_router", "sglang_router_tuned", "smg", "smg_tuned", "planetserve"}));
        app.add_option("--sglang-router", sglang_, "Python of an environment with the package sglang-router")
            ->envname("PLANETSERVE_SGLANG_ROUTER");
        app.add_option("--smg", smg_, "Python of an environment with the package smg")->envname("PLANETSERVE_SMG");
        app.add_option("--planetserve-url", planetserve_,
                       "base URL of a network that is there already, in place of one that is started");
    }

    Status run(const RunOptions& options, Report& report) override {
        contest_.seed = options.seed;
        if (options.quick) requests_ = std::min<std::size_t>(requests_, 30);
        if (Status resolved = contest_.engines.resolve(); !resolved) return resolved;
        auto arms = chosen_arms(report);
        if (!arms) return std::unexpected(arms.error());
        auto work = conversation_work(trace_, requests_, options.seed);
        if (!work) return std::unexpected(work.error());
        if (Status timed = contest_.time(work->items, report); !timed) return timed;
        return contest_.run(*arms, work->items, work->ceiling, report);
    }

private:
    ContestArm planetserve_arm() const {
        if (!planetserve_.empty()) return network_arm("planetserve", "this network, there already", planetserve_);
        return network_arm("planetserve", "this network",
                           LocalNetworkOptions{.engines = contest_.engines, .model_nodes = contest_.engine_count});
    }

    Result<std::vector<ContestArm>> chosen_arms(Report& report) const {
        auto router = [](std::string name, const std::string& python, std::string module,
                         const RouterBalance& balance) {
            return router_arm(std::move(name), "cache-aware, balance " + balance.absolute + " and " + balance.relative,
                              python, std::move(module), balance);
        };
        std::vector<ContestArm> arms;
        auto offer = [&](ContestArm arm, bool possible, std::string_view lacking) -> Status {
            bool named = std::ranges::find(arms_, arm.name) != arms_.end();
            if (!arms_.empty() && !named) return {};
            if (possible) {
                arms.push_back(std::move(arm));
            } else if (named) {
                return fail(ErrorCode::invalid_argument, arm.name + " needs " + std::string(lacking));
            } else {
                report.note(arm.name + " is left out: no " + std::string(lacking));
            }
            return {};
        };
        const std::string sglang = "sglang_router.launch_router";
        const std::string smg = "smg.launch_router";
        for (Status offered : {offer(round_robin_arm(), true, ""),
                               offer(router("sglang_router", sglang_, sglang, router_default_balance), !sglang_.empty(),
                                     "--sglang-router"),
                               offer(router("sglang_router_tuned", sglang_, sglang, router_tuned_balance),
                                     !sglang_.empty(), "--sglang-router"),
                               offer(router("smg", smg_, smg, router_default_balance), !smg_.empty(), "--smg"),
                               offer(router("smg_tuned", smg_, smg, router_tuned_balance), !smg_.empty(), "--smg"),
                               offer(planetserve_arm(), true, "")})
            if (!offered) return std::unexpected(offered.error());
        return arms;
    }

    Contest contest_;
    std::string trace_;
    std::size_t requests_ = 120;
    std::vector<std::string> arms_;
    std::string sglang_;
    std::string smg_;
    std::string planetserve_;
};

}  // namespace

std::unique_ptr<Experiment> make_peers_experiment() { return std::make_unique<PeersExperiment>(); }

}  // namespace planetserve::eval
