#include "eval/verification/verification_experiment.h"

#include <CLI/CLI.hpp>

#include "base/random.h"
#include "eval/verification/laboratory.h"
#include "eval/verification/results.h"

namespace planetserve::eval {

namespace {

// What a run asks for; --quick has less of it.
struct Size {
    std::size_t prompts;      // to each node
    std::size_t calibration;  // runs of honest nodes, of `pool` tokens each
    std::uint32_t tokens;     // of an answer at most
    std::size_t pool;         // tokens by which a credit is given
};
constexpr Size whole{40, 200, 128, 128};
constexpr Size small{3, 200, 64, 8};
constexpr double mixed_share = 0.3;

class VerificationExperiment final : public Experiment {
public:
    std::string_view name() const override { return "verification"; }
    std::string_view description() const override {
        return "answers of honest and dishonest model nodes, scored by 1/PPL and by whether their seed draws them";
    }
    Basis basis() const override { return Basis::live; }
    std::string_view example() const override { return "--out results --prompts 40"; }
    bool runs_alone() const override { return false; }

    void add_options(CLI::App& app) override {
        app.add_option("--prompts", prompts_, "to each model node (default 40; --quick 3)")
            ->check(CLI::Range(1, 100'000));
        app.add_option("--calibration", calibration_, "runs of honest nodes (default 200, the fewest)")
            ->check(CLI::Range(200, 100'000));
        app.add_option("--temperature", temperature_, "that is asked for (default 0.8)")->check(CLI::Range(0.01, 2.0));
        laboratory_.add_options(app);
    }

    Status run(const RunOptions& options, Report& report) override {
        Size size = options.quick ? small : whole;
        if (prompts_ > 0) size.prompts = prompts_;
        if (calibration_ > 0) size.calibration = calibration_;
        if (Status resolved = laboratory_.resolve(report.folder()); !resolved) return resolved;
        boost::asio::io_context context(1);
        auto laboratory = Laboratory::open(context, laboratory_);
        if (!laboratory) return std::unexpected(laboratory.error());
        const scoring::SamplingProfile profile{.temperature = static_cast<float>(temperature_),
                                               .max_tokens = size.tokens};
        SeededRandom random(options.seed);
        // Answers may be short: as many prompts as are enough if they are a quarter as long as they may be.
        const std::size_t spare = 4 * size.calibration * size.pool / size.tokens + 1;
        auto prompts = user_prompts(size.prompts + spare, options.seed);
        std::vector<Challenge> challenges;
        for (Messages& messages : prompts) challenges.push_back({std::move(messages), random.id<scoring::Nonce>()});
        if (Status known = (*laboratory)->tokenize(challenges); !known) return known;
        std::span<const Challenge> all = challenges;
        auto subjects = judge(**laboratory, all.first(size.prompts), profile, options);
        if (!subjects) return std::unexpected(subjects.error());
        auto calibration =
            calibrate(**laboratory, all.subspan(size.prompts), size.calibration * size.pool, profile, options);
        if (!calibration) return std::unexpected(calibration.error());
        report.summary("model", laboratory_.model.filename().string());
        report.summary("temperature", temperature_);
        report.summary("prompts", size.prompts);
        report.summary("pool_tokens", size.pool);
        report.summary("scored_tokens", (*laboratory)->scored_tokens());
        report.summary("scoring_ms_per_token",
                       1e3 * (*laboratory)->scoring_seconds() / static_cast<double>((*laboratory)->scored_tokens()));
        ResultRules rules{.pool = size.pool, .seed = options.seed};
        return write_results(*subjects, *calibration, rules, report);
    }

private:
    using Answers = std::vector<GivenAnswer>;

    Result<Subject> scored(Laboratory& laboratory, std::string name, std::string title, bool honest,
                           std::span<const Challenge> challenges, const Answers& answers,
                           const scoring::SamplingProfile& profile) {
        Subject subject{.name = std::move(name), .title = std::move(title), .honest = honest};
        auto scores = laboratory.score(challenges, answers, profile, subject.name);
        if (!scores) return std::unexpected(scores.error());
        for (const auto& score : *scores) subject.stream.add(score);
        subject.answers = std::move(*scores);
        return subject;
    }

    Result<std::vector<Subject>> judge(Laboratory& laboratory, std::span<const Challenge> challenges,
                                       const scoring::SamplingProfile& profile, const RunOptions& options) {
        std::vector<Subject> subjects;
        Answers honest;
        auto arms = engine_arms(options.quick);
        // Arms of one engine follow each other.
        std::ranges::sort(arms, {},
                          [](const Arm& arm) { return std::tuple(arm.model, !arm.flash_attention, arm.micro_batch); });
        const Arm* smaller = nullptr;
        for (const Arm& arm : arms) {
            auto answers = laboratory.ask(arm, challenges, profile, options.seed);
            if (!answers) return std::unexpected(answers.error());
            auto subject = scored(laboratory, arm.name, arm.title, arm.honest, challenges, *answers, profile);
            if (!subject) return std::unexpected(subject.error());
            subjects.push_back(std::move(*subject));
            if (arm.name == "honest") honest = std::move(*answers);
            if (arm.model == "pruned") smaller = &arm;
        }
        auto cut = scored(laboratory, "truncated", "truncated to a quarter", false, challenges,
                          truncated(honest, laboratory.end_of_text()), profile);
        if (!cut) return std::unexpected(cut.error());
        subjects.push_back(std::move(*cut));
        if (smaller) {
            auto answers = laboratory.mix(*smaller, mixed_share, challenges, profile, options.seed);
            if (!answers) return std::unexpected(answers.error());
            auto mixed = scored(laboratory, "mixed_tokens", "30% of tokens from the smaller", false, challenges,
                                *answers, profile);
            if (!mixed) return std::unexpected(mixed.error());
            subjects.push_back(std::move(*mixed));
            subjects.push_back(mixed_answers(subjects, options.seed));
        }
        std::ranges::partition(subjects, [](const Subject& subject) { return subject.honest; });
        return subjects;
    }

    // Honest nodes whose kernels are not the verifier's, so that there is noise: so many tokens of them.
    Result<Subject> calibrate(Laboratory& laboratory, std::span<const Challenge> challenges, std::size_t tokens,
                              const scoring::SamplingProfile& profile, const RunOptions& options) {
        const Arm arm{.name = "calibration", .title = "calibration", .flash_attention = false, .honest = true};
        Subject calibration{.name = arm.name, .title = arm.title, .honest = true};
        while (calibration.stream.tokens.size() < tokens) {
            std::size_t missing = tokens - calibration.stream.tokens.size();
            std::size_t count = std::min(challenges.size(), missing / profile.max_tokens + 1);
            if (count == 0) return fail(ErrorCode::exhausted, "the answers are too short to calibrate by");
            auto answers = laboratory.ask(arm, challenges.first(count), profile, options.seed);
            if (!answers) return std::unexpected(answers.error());
            auto part = scored(laboratory, arm.name, arm.title, true, challenges.first(count), *answers, profile);
            if (!part) return std::unexpected(part.error());
            for (auto& answer : part->answers) {
                calibration.stream.add(answer);
                calibration.answers.push_back(std::move(answer));
            }
            challenges = challenges.subspan(count);
        }
        return calibration;
    }

    // A quarter of each answer, said to be all that the model had to say.
    static Answers truncated(Answers answers, scoring::TokenId end) {
        for (GivenAnswer& answer : answers) {
            answer.tokens.resize(std::max<std::size_t>(1, answer.tokens.size() / 4));
            answer.tokens.push_back(end);
            answer.finish = scoring::FinishReason::end_of_text;
        }
        return answers;
    }

    // 30% of the answers are the smaller model's, the others of an honest node with other kernels.
    static Subject mixed_answers(const std::vector<Subject>& subjects, std::uint64_t seed) {
        auto named = [&](std::string_view name) { return std::ranges::find(subjects, name, &Subject::name); };
        auto honest = named("honest_other");
        auto smaller = named("pruned");
        Subject mixed{.name = "mixed_answers", .title = "30% of answers from the smaller"};
        SeededRandom random(seed);
        for (std::size_t i = 0; i < honest->answers.size(); ++i) {
            const auto& chosen = random.unit() < mixed_share ? smaller->answers[i] : honest->answers[i];
            mixed.stream.add(chosen);
            mixed.answers.push_back(chosen);
        }
        return mixed;
    }

    LaboratoryOptions laboratory_;
    std::size_t prompts_ = 0;
    std::size_t calibration_ = 0;
    double temperature_ = 0.8;
};

}  // namespace

std::unique_ptr<Experiment> make_verification_experiment() { return std::make_unique<VerificationExperiment>(); }

}  // namespace planetserve::eval
