// Which experiments there are.
#include "eval/routing/experiments.h"
#include "eval/adversary/adversary_experiment.h"
#include "eval/churn/churn_experiment.h"
#include "eval/clove_latency/clove_latency_experiment.h"
#include "eval/confidential/confidential_experiment.h"
#include "eval/experiment.h"
#include "eval/malicious/anonymity_experiment.h"
#include "eval/malicious/confidentiality_experiment.h"
#include "eval/peers/peers_experiment.h"
#include "eval/scale/scale_experiment.h"
#include "eval/wide_area/wide_area_experiment.h"
#include "eval/workload/workload_experiment.h"

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
    experiments.push_back(make_churn_experiment());
    experiments.push_back(make_scale_experiment());
    return experiments;
}

}  // namespace planetserve::eval
