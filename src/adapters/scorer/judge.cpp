#include "adapters/scorer/judge.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdio>

namespace planetserve::adapters {

namespace {

// Candidates of a position beside the token that was drawn: enough for any profile.
constexpr std::uint32_t candidates = 128;
// Nodes whose answers are too short to score yet.
constexpr std::size_t most_pools = 4096;

// Tokens of an answer that are scored, from its beginning: an answer without a limit may have many more.
constexpr std::size_t most_scored = 256;

std::string in_words(const scoring::Credit& credit, const scoring::Statistics& statistics) {
    char text[200];
    std::snprintf(text, sizeof(text),
                  "credit %.2f (%s), %zu tokens, %zu mismatches, margin %.4f, entropy z %.2f, 1/PPL %.2f", credit.value,
                  std::string(scoring::to_string(credit.grounds)).c_str(), statistics.tokens, statistics.mismatches,
                  statistics.margin, statistics.entropy_z, statistics.inverse_perplexity);
    return text;
}

}  // namespace

struct Judge::Job {
    struct Item {
        verification_agent::ChallengeAnswer exhibit;
        std::vector<scoring::TokenId> prompt = {};
        std::vector<scoring::Position> positions = {};
        bool failed = false;
        Feeding feeding = Feeding::blocks;

        // Tokens that no model of this vocabulary draws leave no positions: an answer without a sound end.
        scoring::AnswerScore score() const {
            const std::size_t unscored = positions.empty() ? 0 : exhibit.answer.tokens.size() - positions.size();
            return scoring::score_answer(
                {.positions = positions, .finish = exhibit.answer.finish, .unscored = unscored},
                exhibit.challenge.profile, exhibit.answer.nonce);
        }
    };

    std::uint64_t epoch = 0;
    std::vector<Item> items;
    std::size_t next = 0;            // to be tokenised
    Feeding pass = Feeding::blocks;  // the first pass; the second feeds doubtful answers by steps
    std::string problem;
};

Judge::Judge(boost::asio::io_context& context, std::map<std::string, JudgedModel> models,
             scoring::Calibration calibration, OnScores on_scores)
    : context_(context),
      models_(std::move(models)),
      calibration_(std::move(calibration)),
      on_scores_(std::move(on_scores)) {}

Judge::~Judge() = default;

void Judge::score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits) {
    auto job = std::make_shared<Job>();
    job->epoch = epoch;
    for (verification_agent::ChallengeAnswer& exhibit : exhibits) job->items.push_back({std::move(exhibit)});
    job_ = job;
    tokenize_next(job);
}

void Judge::tokenize_next(const std::shared_ptr<Job>& job) {
    if (job != job_) return;
    tokens_.reset();
    while (job->next < job->items.size() && !models_.contains(job->items[job->next].exhibit.answer.model)) {
        job->items[job->next].failed = true;
        ++job->next;
    }
    if (job->next == job->items.size()) return run_passes(job);
    Job::Item& item = job->items[job->next++];
    JudgedModel& model = models_.at(item.exhibit.answer.model);
    tokens_ = std::make_unique<PromptTokens>(context_, *model.engine, item.exhibit.challenge.messages,
                                             [this, job, &item](Result<std::vector<scoring::TokenId>> tokens) {
                                                 if (tokens) {
                                                     item.prompt = std::move(*tokens);
                                                 } else {
                                                     item.failed = true;
                                                     job->problem = tokens.error().message;
                                                 }
                                                 // Not from within the callback of tokens_, which this ends.
                                                 boost::asio::post(context_, [this, job] { tokenize_next(job); });
                                             });
}

void Judge::run_passes(const std::shared_ptr<Job>& job) {
    // The assignment asks the pass before to stop, and waits for it.
    worker_ = std::jthread([this, job, models = models_](std::stop_token stop) {
        std::map<std::string, std::vector<Job::Item*>> by_model;
        for (Job::Item& item : job->items)
            if (!item.failed && item.feeding == job->pass) by_model[item.exhibit.answer.model].push_back(&item);
        for (auto& [name, items] : by_model) {
            // Only this thread, of which there is one at a time, touches them.
            auto& scorer = scorers_[name];
            if (!scorer) {
                auto loaded = LlamaScorer::load(models.at(name).scorer);
                if (loaded)
                    scorer = std::move(*loaded);
                else
                    job->problem = loaded.error().message;
            }
            for (Job::Item* item : items) {
                // One by one: an answer that cannot be fed is its node's fault, and must not spoil the others'.
                item->failed = scorer == nullptr;
                if (item->failed || item->exhibit.answer.tokens.empty()) continue;
                const auto& tokens = item->exhibit.answer.tokens;
                const auto end = tokens.begin() + static_cast<std::ptrdiff_t>(std::min(tokens.size(), most_scored));
                PromptAndAnswer one{item->prompt, {tokens.begin(), end}};
                auto scored = scorer->score({&one, 1}, candidates, item->feeding, stop);
                if (stop.stop_requested()) return;
                if (scored) item->positions = std::move(scored->front());
            }
        }
        boost::asio::post(context_, [this, job] { finish(job); });
    });
}

bool Judge::leaves_doubts(Job& job) const {
    std::map<NodeId, scoring::Pool> pools;
    for (const Job::Item& item : job.items) {
        if (item.failed) continue;
        const NodeId& node = item.exhibit.answer.node;
        auto known = pools_.find(node);
        pools.try_emplace(node, known == pools_.end() ? scoring::Pool() : known->second)
            .first->second.add(item.score());
    }
    bool any = false;
    for (Job::Item& item : job.items) {
        if (item.failed) continue;
        auto credit = scoring::credit_of(pools.at(item.exhibit.answer.node).statistics(), calibration_);
        if (credit.grounds == scoring::Grounds::inconclusive || credit.value >= 1) continue;
        item.feeding = Feeding::steps;
        any = true;
    }
    return any;
}

void Judge::finish(const std::shared_ptr<Job>& job) {
    if (job != job_) return;
    if (job->pass == Feeding::blocks && leaves_doubts(*job)) {
        job->pass = Feeding::steps;
        return run_passes(job);
    }
    problem_ = job->problem;
    std::map<NodeId, verification::Score> scores;
    for (const Job::Item& item : job->items) {
        const scoring::SignedAnswer& answer = item.exhibit.answer;
        if (item.failed) {
            scores[answer.node] = {answer.node, verification::Outcome::inconclusive, 0};
            continue;
        }
        if (pools_.size() >= most_pools && !pools_.contains(answer.node)) pools_.erase(pools_.begin());
        pools_[answer.node].add(item.score());
        scores.try_emplace(answer.node, verification::Score{answer.node, verification::Outcome::inconclusive, 0});
    }
    for (auto& [node, score] : scores) {
        auto pool = pools_.find(node);
        if (pool == pools_.end()) continue;
        const scoring::Statistics statistics = pool->second.statistics();
        auto credit = scoring::credit_of(statistics, calibration_);
        if (findings_.size() >= most_pools && !findings_.contains(node)) findings_.erase(findings_.begin());
        findings_[node] = in_words(credit, statistics);
        if (credit.grounds == scoring::Grounds::inconclusive) continue;
        score.outcome = verification::Outcome::credit;
        score.credit = scoring::millionths(credit.value);
        pools_.erase(pool);
    }
    std::vector<verification::Score> list;
    for (const auto& [node, score] : scores) list.push_back(score);
    on_scores_(job->epoch, std::move(list));
}

}  // namespace planetserve::adapters
