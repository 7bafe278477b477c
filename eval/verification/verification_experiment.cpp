#include "eval/verification/verification_experiment.h"

#include <CLI/CLI.hpp>
#include <future>
#include <tuple>

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
constexpr std::size_t part_size = 32;  // answers to calibrate by that are asked for before the last are scored

class VerificationExperiment final : public Experiment {
public:
    std::string_view name() const override { return "verification"; }
    std::string_view description() const override {
        return "answers of honest and dishonest model nodes, scored by 1/PPL and by whether their seed draws them";
    }
    Basis basis() const override { return Basis::live; }
    std::string_view example() const override { return "--out results --prompts 40"; }
    bool runs_alone() const override { return false; }
    std::vector<std::string_view> needs() const override { return {"engine", "models"}; }

    void add_options(CLI::App& app) override {
        app.add_option("--prompts", prompts_, "to each model node (default 40; --quick 3)")
            ->check(CLI::Range(1, 100'000));
        app.add_option("--calibration", calibration_, "runs of honest nodes (default 200, the fewest)")
            ->check(CLI::Range(200, 100'000));
        app.add_option("--tokens", tokens_, "of an answer at most (default 128; --quick 64)")
            ->check(CLI::Range(8, 256));
        app.add_option("--pool", pool_, "tokens by which a credit is given (default 128; --quick 8)")
            ->check(CLI::Range(8, 100'000));
        app.add_option("--temperature", temperature_, "that is asked for (default 0.8)")->check(CLI::Range(0.01, 2.0));
        laboratory_.add_options(app);
    }

    Status run(const RunOptions& options, Report& report) override {
        Size size = options.quick ? small : whole;
        if (prompts_ > 0) size.prompts = prompts_;
        if (tokens_ > 0) size.tokens = tokens_;
        if (pool_ > 0) size.pool = pool_;
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
        if (std::ranges::find(rules.lengths, size.pool) == rules.lengths.end()) rules.lengths.push_back(size.pool);
        std::ranges::sort(rules.lengths);
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

    // Scores while the next engine answers.
    struct Scoring {
        Answers answers;
        std::future<Result<Subject>> subject;
    };

    Result<std::vector<Subject>> judge(Laboratory& laboratory, std::span<const Challenge> challenges,
                                       const scoring::SamplingProfile& profile, const RunOptions& options) {
        std::vector<Subject> subjects;
        std::unique_ptr<Scoring> under_way;
        auto finish = [&]() -> Status {
            if (!under_way) return {};
            auto subject = under_way->subject.get();
            under_way.reset();
            if (!subject) return std::unexpected(subject.error());
            subjects.push_back(std::move(*subject));
            return {};
        };
        auto begin = [&](std::string name, std::string title, bool honest, Answers answers) -> Status {
            if (Status finished = finish(); !finished) return finished;
            under_way = std::make_unique<Scoring>(std::move(answers));
            under_way->subject = std::async(std::launch::async, [&, name, title, honest, of = under_way.get()] {
                return scored(laboratory, name, title, honest, challenges, of->answers, profile);
            });
            return {};
        };
        Answers honest;
        auto arms = engine_arms(options.quick);
        // Arms of one engine follow each other.
        std::ranges::sort(arms, {}, [](const Arm& arm) { return std::tuple(arm.model, arm.flash_attention); });
        for (const Arm& arm : arms) {
            auto answers = laboratory.ask(arm, challenges, profile, options.seed);
            if (!answers) return std::unexpected(answers.error());
            if (arm.name == "honest") honest = *answers;
            if (Status begun = begin(arm.name, arm.title, arm.honest, std::move(*answers)); !begun)
                return std::unexpected(begun.error());
        }
        Status cut = begin("truncated", "truncated to a quarter", false, truncated(honest, laboratory.end_of_text()));
        if (!cut) return std::unexpected(cut.error());
        auto smaller = std::ranges::find(arms, "pruned", &Arm::model);
        auto answers = laboratory.mix(*smaller, mixed_share, challenges, profile, options.seed);
        if (!answers) return std::unexpected(answers.error());
        Status mixed = begin("mixed_tokens", "30% of tokens from the smaller", false, std::move(*answers));
        if (mixed) mixed = finish();
        if (!mixed) return std::unexpected(mixed.error());
        subjects.push_back(mixed_answers(subjects, options.seed));
        std::ranges::partition(subjects, [](const Subject& subject) { return subject.honest; });
        return subjects;
    }

    // Honest nodes whose kernels are not the verifier's, so that there is noise: so many tokens of them.
    Result<Subject> calibrate(Laboratory& laboratory, std::span<const Challenge> challenges, std::size_t tokens,
                              const scoring::SamplingProfile& profile, const RunOptions& options) {
        const Arm arm{.name = "calibration", .title = "calibration", .flash_attention = true, .honest = true};
        Subject calibration{.name = arm.name, .title = arm.title, .honest = true};
        std::unique_ptr<Scoring> under_way;
        auto finish = [&]() -> Status {
            if (!under_way) return {};
            auto part = under_way->subject.get();
            under_way.reset();
            if (!part) return std::unexpected(part.error());
            for (auto& answer : part->answers) {
                calibration.stream.add(answer);
                calibration.answers.push_back(std::move(answer));
            }
            return {};
        };
        for (std::size_t answered = 0; answered < tokens;) {
            std::size_t count = std::min({challenges.size(), (tokens - answered) / profile.max_tokens + 1, part_size});
            if (count == 0) return fail(ErrorCode::exhausted, "the answers are too short to calibrate by");
            auto part = challenges.first(count);
            auto answers = laboratory.ask(arm, part, profile, options.seed + challenges.size());
            if (!answers) return std::unexpected(answers.error());
            for (const GivenAnswer& answer : *answers) answered += answer.tokens.size();
            if (Status finished = finish(); !finished) return std::unexpected(finished.error());
            under_way = std::make_unique<Scoring>(std::move(*answers));
            under_way->subject = std::async(std::launch::async, [&, part, of = under_way.get()] {
                return scored(laboratory, arm.name, arm.title, true, part, of->answers, profile);
            });
            challenges = challenges.subspan(count);
        }
        if (Status finished = finish(); !finished) return std::unexpected(finished.error());
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
    std::uint32_t tokens_ = 0;
    std::size_t pool_ = 0;
    double temperature_ = 0.8;
};

}  // namespace

std::unique_ptr<Experiment> make_verification_experiment() { return std::make_unique<VerificationExperiment>(); }

}  // namespace planetserve::eval
