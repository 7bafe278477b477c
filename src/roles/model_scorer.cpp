#include "roles/model_scorer.h"

#include "adapters/llama/managed_engine.h"
#include "adapters/scorer/judge.h"
#include "roles/engine_program.h"
#include "roles/model_file.h"

namespace planetserve::roles {

namespace {

// The engine beside a scorer only applies the model's template and tokenises.
constexpr std::uint32_t template_context = 256;  // tokens

class JudgingScorer final : public ModelScorer {
public:
    JudgingScorer(Runtime& runtime, OnScores on_scores) : runtime_(runtime), on_scores_(std::move(on_scores)) {}

    Status load(const std::vector<config::ServedModelConfig>& models) {
        std::map<std::string, adapters::JudgedModel> judged;
        for (const config::ServedModelConfig& model : models) {
            auto file = model_file(model);
            if (!file) return std::unexpected(file.error());
            if (auto started = start_engine(model, file->file); !started) return started;
            adapters::LlamaScorerOptions scorer;
            scorer.model_file = file->file;
            scorer.context = model.context;
            scorer.sequences = 1;
            scorer.threads = model.threads == 0 ? 1 : model.threads;
            judged[model.name] = {engines_.back().get(), scorer};
        }
        judge_ = std::make_unique<adapters::Judge>(runtime_.context(), std::move(judged), scoring::Calibration::known(),
                                                   on_scores_);
        return {};
    }

    void score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits) override {
        judge_->score(epoch, std::move(exhibits));
    }
    std::string problem() const override { return judge_->problem(); }
    std::map<NodeId, std::string> findings() const override { return judge_->findings(); }

private:
    Status start_engine(const config::ServedModelConfig& model, const std::filesystem::path& file) {
        auto program = engine_program();
        if (!program) return std::unexpected(program.error());
        const std::string number = std::to_string(engines_.size());
        adapters::ManagedEngineOptions options;
        options.program = *program;
        options.model_file = file;
        options.alias = model.name;
        options.slots = 1;
        options.context = template_context;
        options.threads = 1;
        options.cache_mib = 0;
        options.socket = runtime_.home() / ("tokens-" + number + ".sock");
        options.log = runtime_.home() / ("tokens-" + number + ".log");
        engines_.push_back(std::make_unique<adapters::ManagedEngine>(runtime_.context(), options));
        engines_.back()->run();
        return {};
    }

    Runtime& runtime_;
    OnScores on_scores_;
    std::vector<std::unique_ptr<adapters::ManagedEngine>> engines_;
    std::unique_ptr<adapters::Judge> judge_;
};

}  // namespace

Result<std::unique_ptr<ModelScorer>> make_model_scorer(Runtime& runtime,
                                                       const std::vector<config::ServedModelConfig>& models,
                                                       ModelScorer::OnScores on_scores) {
    auto scorer = std::make_unique<JudgingScorer>(runtime, std::move(on_scores));
    if (auto loaded = scorer->load(models); !loaded) return std::unexpected(loaded.error());
    return scorer;
}

}  // namespace planetserve::roles
