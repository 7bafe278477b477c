#include "eval/verification/results.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "eval/kit/statistics.h"
#include "eval/verification/reputation.h"

namespace planetserve::eval {

namespace {

using scoring::Calibration;
using scoring::Statistics;

constexpr double false_alarms = 0.01;

std::string column(Suspicion by) {
    switch (by) {
        case Suspicion::inverse_perplexity:
            return "inverse_ppl";
        case Suspicion::margin:
            return "margin";
        case Suspicion::entropy:
            return "entropy_z";
        case Suspicion::rank:
            return "rank";
    }
    return "unknown";
}

double mean(const std::vector<double>& values) { return distribution(values).mean; }

double share_below(const std::vector<double>& values, double limit) {
    auto below = std::ranges::count_if(values, [limit](double value) { return value < limit; });
    return values.empty() ? std::nan("") : static_cast<double>(below) / static_cast<double>(values.size());
}

Status write_answers(const std::vector<Subject>& subjects, const Subject& calibration, Report& report) {
    Table table({"node", "answer", "tokens", "structure", "mismatches", "inverse_ppl", "margin", "entropy_z", "rank",
                 "end_distance"});
    auto add = [&table](const Subject& subject) {
        for (std::size_t i = 0; i < subject.answers.size(); ++i) {
            const auto& answer = subject.answers[i];
            scoring::Pool pool;
            pool.add(answer);
            Statistics figures = pool.statistics();
            double end = answer.tokens.empty() ? 0 : answer.tokens.back().distance;
            table.add({subject.name, i, figures.tokens, to_string(answer.structure), figures.mismatches,
                       figures.inverse_perplexity, figures.margin, figures.entropy_z, figures.kolmogorov_smirnov, end});
        }
    };
    for (const Subject& subject : subjects) add(subject);
    add(calibration);
    return report.csv("answers", table);
}

// How well each figure, and the credit, tells a subject from honest nodes, by length.
Status write_detection(const std::vector<Subject>& subjects, const Subject& calibration, const ResultRules& rules,
                       Report& report) {
    Table table({"node", "tokens", "windows", "by", "auc", "found_at_1_percent"});
    // By length.
    std::map<std::size_t, Table> shown;
    for (std::size_t length : {rules.pool, rules.headline})
        shown.emplace(length, Table({"node", "windows", "auc 1/PPL", "auc margin", "auc entropy z", "auc rank",
                                     "found 1/PPL", "found margin"}));
    Figure figure{.name = "detection",
                  .title = "Found at 1% false alarms, by the seed-bound margin",
                  .x_label = "tokens scored",
                  .y_label = "share of dishonest answers found",
                  .style = Figure::Style::lines_and_points,
                  .log_x = true};
    Figure paper = figure;
    paper.name = "detection_inverse_ppl";
    paper.title = "Found at 1% false alarms, by 1/PPL";
    for (const Subject& subject : subjects) {
        Series by_margin{subject.title};
        Series by_perplexity{subject.title};
        for (std::size_t length : rules.lengths) {
            auto honest = windows(calibration.stream, length);
            auto judged = windows(subject.stream, length);
            if (honest.empty() || judged.empty()) continue;
            std::vector<Cell> row{subject.title, judged.size()};
            std::vector<Cell> found;
            for (Suspicion by : suspicions) {
                auto negatives = suspicion(honest, by);
                auto positives = suspicion(judged, by);
                double area = area_under_curve(negatives, positives);
                double share = detected_at(negatives, positives, false_alarms);
                table.add({subject.name, length, judged.size(), column(by), area, share});
                row.emplace_back(area);
                if (by == Suspicion::margin) by_margin.points.emplace_back(static_cast<double>(length), share);
                if (by == Suspicion::inverse_perplexity)
                    by_perplexity.points.emplace_back(static_cast<double>(length), share);
                if (by == Suspicion::margin || by == Suspicion::inverse_perplexity) found.emplace_back(share);
                if (!shown.contains(length)) continue;
                const std::string suffix = length == rules.pool ? "" : "_" + std::to_string(length);
                report.summary(subject.name + "_auc_" + column(by) + suffix, area);
                report.summary(subject.name + "_found_" + column(by) + suffix, share);
            }
            row.insert(row.end(), found.begin(), found.end());
            if (auto table_of = shown.find(length); table_of != shown.end()) table_of->second.add(std::move(row));
        }
        if (subject.honest) continue;
        figure.series.push_back(std::move(by_margin));
        paper.series.push_back(std::move(by_perplexity));
    }
    for (const auto& [length, of_length] : shown)
        report.print("Windows of " + std::to_string(length) + " tokens against honest nodes with other kernels",
                     of_length);
    report.figure(figure);
    report.figure(paper);
    return report.csv("detection", table);
}

struct Credits {
    std::vector<double> by_tests;
    std::vector<double> by_perplexity;
};

Credits credits_of(const Subject& subject, const Calibration& calibration, std::size_t pool) {
    Credits credits;
    for (const Statistics& window : windows(subject.stream, pool)) {
        credits.by_tests.push_back(credit_of(window, calibration, {.least_tokens = pool}).value);
        credits.by_perplexity.push_back(window.inverse_perplexity);
    }
    return credits;
}

void write_reputation(const Subject& subject, const Credits& credits, const ResultRules& rules, Report& report,
                      Table& table, Figure& figure) {
    for (const auto& [score, values] :
         {std::pair("tests", &credits.by_tests), std::pair("1/PPL", &credits.by_perplexity)}) {
        for (int fifths = 1; fifths <= 5; ++fifths) {
            ReputationRules reputation{.gamma = fifths / 5.0, .trusted = rules.trusted};
            auto curve = reputation_curve(*values, reputation, rules.epochs, rules.nodes, rules.seed);
            Series series{subject.title};
            for (std::size_t epoch = 0; epoch < rules.epochs; ++epoch) {
                table.add({subject.name, score, reputation.gamma, epoch + 1, curve.mean[epoch], curve.trusted[epoch]});
                series.points.emplace_back(static_cast<double>(epoch + 1), curve.mean[epoch]);
            }
            if (fifths != 1 || rules.epochs == 0) continue;
            std::string suffix = score == std::string_view("tests") ? "" : "_inverse_ppl";
            report.summary(subject.name + "_reputation" + suffix, curve.mean.back());
            report.summary(subject.name + "_trusted" + suffix, curve.trusted.back());
            if (suffix.empty()) figure.series.push_back(std::move(series));
        }
    }
}

}  // namespace

Status write_results(const std::vector<Subject>& subjects, const Subject& calibration, const ResultRules& rules,
                     Report& report) {
    if (Status written = write_answers(subjects, calibration, report); !written) return written;
    if (Status written = write_detection(subjects, calibration, rules, report); !written) return written;
    // As verification nodes give credits.
    const Calibration honest = Calibration::known();
    Table table(
        {"node", "pools", "mismatches", "margin", "1/PPL", "unsound", "credit", "below 0.4", "1/PPL below 0.4"});
    Table credits_table({"node", "pool", "credit", "inverse_ppl"});
    Table reputation({"node", "score", "gamma", "epoch", "reputation", "trusted"});
    Figure figure{.name = "reputation",
                  .title = "Reputation by the credit of the tests, gamma 1/5",
                  .x_label = "epoch",
                  .y_label = "mean reputation",
                  .style = Figure::Style::lines};
    Figure margins{.name = "margins",
                   .title = "Seed-bound margin of " + std::to_string(rules.pool) + " tokens",
                   .x_label = "mean distance of the draw from its token",
                   .y_label = "share of windows",
                   .style = Figure::Style::steps};
    Figure perplexities = margins;
    perplexities.name = "inverse_ppl";
    perplexities.title = "1/PPL of " + std::to_string(rules.pool) + " tokens";
    perplexities.x_label = "1/PPL";
    for (const Subject& subject : subjects) {
        auto pools = windows(subject.stream, rules.pool);
        if (pools.empty()) continue;
        Credits credits = credits_of(subject, honest, rules.pool);
        std::vector<double> margin;
        double mismatches = 0;
        double unsound = 0;
        for (const Statistics& pool : pools) {
            margin.push_back(pool.margin);
            mismatches += static_cast<double>(pool.mismatches) / static_cast<double>(pool.tokens);
            unsound += pool.unsound > 0 ? 1 : 0;
        }
        auto count = static_cast<double>(pools.size());
        double low = share_below(credits.by_tests, rules.trusted);
        double low_perplexity = share_below(credits.by_perplexity, rules.trusted);
        table.add({subject.title, pools.size(), mismatches / count, mean(margin), mean(credits.by_perplexity),
                   unsound / count, mean(credits.by_tests), low, low_perplexity});
        for (std::size_t i = 0; i < credits.by_tests.size(); ++i)
            credits_table.add({subject.name, i, credits.by_tests[i], credits.by_perplexity[i]});
        report.summary(subject.name + "_pools", pools.size());
        report.summary(subject.name + "_mismatch_share", mismatches / count);
        report.summary(subject.name + "_margin", mean(margin));
        report.summary(subject.name + "_inverse_ppl", mean(credits.by_perplexity));
        report.summary(subject.name + "_credit", mean(credits.by_tests));
        report.summary(subject.name + "_credit_below_threshold", low);
        report.summary(subject.name + "_inverse_ppl_below_threshold", low_perplexity);
        margins.series.push_back(cumulative_distribution(subject.title, margin));
        perplexities.series.push_back(cumulative_distribution(subject.title, credits.by_perplexity));
        write_reputation(subject, credits, rules, report, reputation, figure);
        if (subject.honest)
            report.summary(
                subject.name + "_ever_untrusted",
                ever_untrusted(credits.by_tests, {.trusted = rules.trusted}, rules.long_run, rules.nodes, rules.seed));
    }
    report.print("Credits of " + std::to_string(rules.pool) + " tokens", table);
    report.figure(margins);
    report.figure(perplexities);
    report.figure(figure);
    if (Status written = report.csv("credits", credits_table); !written) return written;
    return report.csv("reputation", reputation);
}

}  // namespace planetserve::eval
