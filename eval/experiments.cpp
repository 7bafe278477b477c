// Which experiments there are.
#include "eval/ablation/ablation_experiment.h"
#include "eval/adversary/adversary_experiment.h"
#include "eval/anonymity/anonymity_experiment.h"
#include "eval/churn/churn_experiment.h"
#include "eval/clove_latency/clove_latency_experiment.h"
#include "eval/confidential/confidential_experiment.h"
#include "eval/confidentiality/confidentiality_experiment.h"
#include "eval/hash_width/hash_width_experiment.h"
#include "eval/kit/experiment.h"
#include "eval/peers/peers_experiment.h"
#include "eval/routing/routing_experiment.h"
#include "eval/scale/scale_experiment.h"
#include "eval/wide_area/wide_area_experiment.h"
#include "eval/workload/workload_experiment.h"
#ifdef PLANETSERVE_HAS_SCORER
#include "eval/verification/verification_experiment.h"
#endif

namespace planetserve::eval {

std::string_view to_string(Basis basis) {
    switch (basis) {
        case Basis::analytic:
            return "analytic";
        case Basis::simulated:
            return "simulated";
        case Basis::measured:
            return "measured";
        case Basis::live:
            return "live";
    }
    return "unknown";
}

#ifndef PLANETSERVE_HAS_SCORER
namespace {

// In the place of the experiment that this program was built without: it says what it needs, so that a program is built
// that has it.
class VerificationLeftOut final : public Experiment {
public:
    std::string_view name() const override { return "verification"; }
    std::string_view description() const override {
        return "left out of this build, which had no engine: ./planetserve eval verification builds one that has it";
    }
    Basis basis() const override { return Basis::live; }
    std::string_view example() const override { return "--out results"; }
    bool runs_alone() const override { return false; }
    void add_options(CLI::App& app) override { app.allow_extras(); }
    std::vector<std::string_view> needs() const override { return {"engine", "models"}; }
    Status run(const RunOptions&, Report&) override {
        return fail(ErrorCode::not_found, "this program was built without the engine's libraries");
    }
};

}  // namespace
#endif

std::vector<std::unique_ptr<Experiment>> all_experiments() {
    std::vector<std::unique_ptr<Experiment>> experiments;
    experiments.push_back(make_anonymity_experiment());
    experiments.push_back(make_confidentiality_experiment());
    experiments.push_back(make_adversary_experiment());
    experiments.push_back(make_clove_latency_experiment());
    experiments.push_back(make_workload_experiment());
    experiments.push_back(make_routing_experiment());
    experiments.push_back(make_ablation_experiment());
    experiments.push_back(make_hash_width_experiment());
    experiments.push_back(make_confidential_experiment());
    experiments.push_back(make_peers_experiment());
    experiments.push_back(make_wide_area_experiment());
#ifdef PLANETSERVE_HAS_SCORER
    experiments.push_back(make_verification_experiment());
#else
    experiments.push_back(std::make_unique<VerificationLeftOut>());
#endif
    experiments.push_back(make_churn_experiment());
    experiments.push_back(make_scale_experiment());
    return experiments;
}

}  // namespace planetserve::eval
