// In the place of model_scorer.cpp where the program is built without the engine's libraries.

#include <boost/asio/post.hpp>

#include "base/lifetime.h"
#include "roles/model_scorer.h"

namespace planetserve::roles {

namespace {

// Without a model the node has no opinion of its own.
class NoOpinion final : public ModelScorer {
public:
    NoOpinion(Runtime& runtime, OnScores on_scores) : runtime_(runtime), on_scores_(std::move(on_scores)) {}

    void score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer>) override {
        boost::asio::post(runtime_.context(), [this, epoch, owner = lifetime_.watch()] {
            if (!owner.gone()) on_scores_(epoch, {});
        });
    }
    std::string problem() const override { return {}; }
    std::map<NodeId, std::string> findings() const override { return {}; }

private:
    Runtime& runtime_;
    OnScores on_scores_;
    Lifetime lifetime_;
};

}  // namespace

Result<std::unique_ptr<ModelScorer>> make_model_scorer(Runtime& runtime,
                                                       const std::vector<config::ServedModelConfig>& models,
                                                       ModelScorer::OnScores on_scores) {
    if (models.empty()) return std::make_unique<NoOpinion>(runtime, std::move(on_scores));
    return fail(ErrorCode::not_found,
                "this program was built without the engine's libraries and cannot score models; run "
                "./planetserve verifier, which builds it with them, or leave 'models' out");
}

}  // namespace planetserve::roles
