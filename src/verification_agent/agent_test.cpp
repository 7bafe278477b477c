// Verification nodes in virtual time, over one chain: their real agents and state, model nodes that answer or do not.

#include "verification_agent/agent.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>

#include "base/random.h"
#include "simulator/event_queue.h"

namespace planetserve::verification_agent {
namespace {

namespace json = boost::json;
using simulator::EventQueue;
using verification::Millionths;
using verification::one;
using verification::Phase;
using verification::State;

constexpr Duration block_time = 200ms;

struct ModelNode {
    crypto::Identity identity;
    Millionths credit = one;  // what its answers are worth
    bool answers = true;
    bool hands_on = false;  // what it may hand on, to where it is lost
    // Which requests it answers by something cheaper, or does not sign.
    std::function<bool(const json::object&)> cheats_on = {};
    bool signs_cheats = true;
};

bool cheats(const ModelNode& node, std::string_view body) {
    return node.cheats_on && node.cheats_on(json::parse(body).as_object());
}
bool is_streamed(const json::object& request) { return request.contains("stream"); }
bool is_plain(const json::object& request) { return !request.contains("temperature"); }

// Answers each request for a node in 300 ms, as that node.
class FakeOverlay final : public inference::Service {
public:
    FakeOverlay(EventQueue& clock, std::vector<ModelNode>& nodes) : clock_(clock), nodes_(nodes) {}

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        struct Handle final : inference::Exchange {
            void consumed(std::size_t) override {}
            std::shared_ptr<bool> alive = std::make_shared<bool>(true);
            ~Handle() override { *alive = false; }
        };
        auto handle = std::make_unique<Handle>();
        auto node =
            std::ranges::find(nodes_, *request.node, [](const ModelNode& known) { return known.identity.id(); });
        ++asked;
        if (node != nodes_.end() && node->answers && (request.continues || !node->hands_on)) {
            scoring::SignedAnswer answer{.model = request.model,
                                         .nonce = scoring::nonce_of(request.id),
                                         .request = crypto::sha256(request.body),
                                         .tokens = {scoring::TokenId(1)}};
            scoring::sign(answer, node->identity);
            json::object signed_answer{{"signed_answer", to_hex(scoring::serialise(answer))}};
            std::string body = json::serialize(json::object{{"planetserve", signed_answer}});
            if (!node->signs_cheats && cheats(*node, as_text(request.body))) body = R"({"choices":[]})";
            const bool streamed = is_streamed(json::parse(as_text(request.body)).as_object());
            if (streamed) body = "data: " + body + "\n\ndata: [DONE]\n\n";
            clock_.after(300ms, [alive = handle->alive, &sink, body, streamed] {
                if (!*alive) return;
                sink.on_head({200, {{"content-type", streamed ? "text/event-stream" : "application/json"}}});
                sink.on_body(as_bytes(body));
                sink.on_end();
            });
        }
        return handle;
    }

    int asked = 0;

private:
    EventQueue& clock_;
    std::vector<ModelNode>& nodes_;
};

class Committee : public testing::Test {
protected:
    // What makes a verifier one, and what it hears of the others.
    struct Node final : AgentOutput {
        Node(Committee& of, crypto::Identity own) : committee(of), identity(std::move(own)) { start(); }
        void start() {
            agent = std::make_unique<Agent>(committee.chain_.network, identity, committee.overlay_, *this,
                                            committee.random_, committee.pool_, remembered);
        }
        void remember(const OwnStatements& statements) override {
            auto kept = parse_own_statements(serialise(statements));
            ASSERT_TRUE(kept);
            remembered = *kept;
        }
        void submit(Bytes transaction) override {
            if (change) change(transaction);
            if (!transaction.empty()) committee.pending_.push_back(std::move(transaction));
        }
        void fetch_transcript(const NodeId& leader, std::uint64_t epoch) override {
            for (auto& other : committee.nodes_)
                if (other->identity.id() == leader && other->agent)
                    later(50ms, [bytes = to_bytes(other->agent->transcript(epoch))](Agent& own) {
                        own.on_transcript(bytes);
                    });
        }
        void score(std::uint64_t epoch, std::vector<ChallengeAnswer> answers) override {
            std::map<NodeId, verification::Score> scores;
            for (const auto& answered : answers)
                for (const ModelNode& node : committee.models_)
                    if (answered.answer.node == node.identity.id()) {
                        // Answers are pooled, and tokens that are not the model's show in any company.
                        auto& score = scores
                                          .try_emplace(node.identity.id(), node.identity.id(),
                                                       verification::Outcome::credit, node.credit)
                                          .first->second;
                        if (cheats(node, answered.challenge.body)) score.credit = 0;
                        if (opinion) score.credit = *opinion;
                    }
            std::vector<verification::Score> list;
            for (const auto& [id, score] : scores) list.push_back(score);
            later(500ms,
                  [epoch, list, &clock = committee.clock_](Agent& own) { own.on_scores(epoch, list, clock.read()); });
        }
        void later(Duration after, std::function<void(Agent&)> run) {
            committee.clock_.after(after, [this, run = std::move(run), mine = agent.get()] {
                if (agent.get() == mine && mine != nullptr) run(*mine);
            });
        }

        Committee& committee;
        crypto::Identity identity;
        OwnStatements remembered;            // what is kept while it is down
        std::unique_ptr<Agent> agent;        // null while it is down
        std::function<void(Bytes&)> change;  // of what it says
        std::optional<Millionths> opinion;   // of everybody, whatever they answered
        bool restless = false;               // looks at the time between blocks too
    };

    void make(std::size_t verifiers, std::size_t models) {
        parameters_.epoch_ms = 80'000;
        parameters_.draw_ms = draw_ms_;
        parameters_.leader_ms = 20'000;
        parameters_.leaders = 2;
        parameters_.recheck_ms = 20'000;
        parameters_.commit_ms = 8'000;
        parameters_.reveal_ms = 6'000;
        for (std::size_t i = 0; i < models; ++i) models_.push_back({crypto::Identity::generate(random_)});
        std::ranges::sort(models_, {}, [](const ModelNode& node) { return node.identity.id(); });
        std::vector<verification::Verifier> set;
        chain_.genesis = clock_.unix_now();
        random_.fill(chain_.network.value);
        for (std::size_t i = 0; i < verifiers; ++i) {
            nodes_.push_back(std::make_unique<Node>(*this, crypto::Identity::generate(random_)));
            set.push_back({nodes_.back()->identity.id(), 1});
        }
        state_.emplace(chain_, set, parameters_);
        make_block();
    }

    void make_block() {
        state_->begin_block(clock_.unix_now(), models_.size());
        for (const Bytes& transaction : std::exchange(pending_, {})) {
            auto applied = state_->apply(transaction);
            if (!applied) refused_.push_back(applied.error().message);
        }
        state_->commit();
        std::vector<ModelNodeEntry> entries;
        for (const ModelNode& node : models_) entries.push_back({node.identity.id(), {"m"}});
        for (auto& node : nodes_) {
            if (node->agent) node->agent->update(*state_, entries, clock_.read());
            for (Duration after = block_time / 10; node->restless && after < block_time; after += block_time / 10)
                node->later(after, [this, entries](Agent& own) { own.update(*state_, entries, clock_.read()); });
        }
        if (at_block_) at_block_();
        clock_.after(block_time, [this] { make_block(); });
    }
    void run_epochs(std::size_t epochs) { clock_.run_for(epochs * std::chrono::milliseconds(parameters_.epoch_ms)); }
    Phase phase() const { return state_->schedule().phase(state_->epoch().number, clock_.unix_now()); }
    Millionths reputation(std::size_t model) const { return state_->reputation(models_[model].identity.id()); }
    bool trusted(std::size_t model) const { return state_->trusted(models_[model].identity.id()); }
    std::uint64_t scores(std::size_t model) const {
        auto found = state_->standings().find(models_[model].identity.id());
        return found == state_->standings().end() ? 0 : found->second.scores;
    }
    std::uint32_t equivocations() const {
        std::uint32_t all = 0;
        for (const auto& node : nodes_) all += state_->record(node->identity.id()).equivocations;
        return all;
    }

    SeededRandom random_{5};
    EventQueue clock_;
    verification::Chain chain_{"test", {}, {}};
    verification::Parameters parameters_;
    std::int64_t draw_ms_ = 2'000;
    PromptPool pool_;
    std::vector<ModelNode> models_;
    FakeOverlay overlay_{clock_, models_};
    std::vector<std::unique_ptr<Node>> nodes_;
    std::optional<State> state_;
    std::vector<Bytes> pending_;
    std::vector<std::string> refused_;
    std::function<void()> at_block_;
};

TEST_F(Committee, ADishonestNodeIsSoonUntrustedAndHonestOnesStayTrusted) {
    make(4, 4);
    models_[2].credit = 0;
    run_epochs(5);
    EXPECT_FALSE(trusted(2));
    for (int epoch = 5; epoch < 50; ++epoch) {
        run_epochs(1);
        for (std::size_t model : {0, 1, 3}) ASSERT_TRUE(trusted(model)) << "epoch " << epoch;
        ASSERT_FALSE(trusted(2));
    }
    EXPECT_GE(scores(0), 48u);
    EXPECT_EQ(equivocations(), 0u);
    EXPECT_EQ(refused_, std::vector<std::string>());
}

TEST_F(Committee, OneVerifierDoesAllByItself) {
    make(1, 3);
    models_[0].credit = 0;
    run_epochs(6);
    EXPECT_FALSE(trusted(0));
    EXPECT_TRUE(trusted(1));
    EXPECT_GE(scores(1), 5u);
}

TEST_F(Committee, OneThatGaveTwoVerifiersNoAnswerLosesItsReputation) {
    make(4, 4);
    models_[1].answers = false;
    run_epochs(6);
    EXPECT_FALSE(trusted(1));
    EXPECT_GE(scores(1), 4u);
    EXPECT_TRUE(trusted(0));
    EXPECT_EQ(refused_, std::vector<std::string>());
}

TEST_F(Committee, OneThatAnswersTheSecondVerifierKeepsIt) {
    make(4, 4);
    // Away while leaders ask, there when it is asked once more.
    at_block_ = [this] { models_[1].answers = phase() == Phase::recheck; };
    run_epochs(6);
    EXPECT_EQ(scores(1), 0u);
    EXPECT_TRUE(trusted(1));
}

TEST_F(Committee, OneWhoseHandedOnRequestsAreLostElsewhereKeepsIt) {
    make(4, 4);
    models_[1].hands_on = true;
    run_epochs(6);
    EXPECT_EQ(scores(1), 0u);
    EXPECT_TRUE(trusted(1));
}

// Challenges come in all forms of requests, so there is none in which it pays to cheat.
TEST_F(Committee, OneThatCheatsInOneFormOfRequestsIsFoundOut) {
    make(4, 5);
    models_[0].cheats_on = is_streamed;
    models_[1].cheats_on = is_plain;
    models_[2].cheats_on = [](const json::object& request) { return is_streamed(request) && is_plain(request); };
    models_[3].cheats_on = [](const json::object& request) { return !is_streamed(request); };
    models_[3].signs_cheats = false;
    std::array<int, 5> untrusted{};
    for (int epoch = 0; epoch < 40; ++epoch) {
        run_epochs(1);
        for (std::size_t model = 0; model < 5; ++model) untrusted[model] += !trusted(model);
    }
    EXPECT_GT(untrusted[0], 20);
    EXPECT_GT(untrusted[1], 15);
    EXPECT_GT(untrusted[2], 5);
    EXPECT_GT(untrusted[3], 15);
    EXPECT_EQ(untrusted[4], 0);
    EXPECT_EQ(refused_, std::vector<std::string>());
}

TEST_F(Committee, EarnsItsWayBack) {
    make(4, 4);
    models_[3].credit = 0;
    run_epochs(6);
    ASSERT_FALSE(trusted(3));
    models_[3].credit = one;
    run_epochs(10);
    EXPECT_TRUE(trusted(3));
}

TEST_F(Committee, ALeaderThatDoesNotReportIsReplaced) {
    make(4, 2);
    nodes_[0]->change = [&](Bytes& transaction) {
        auto parsed = verification::parse_transaction(transaction);
        if (std::holds_alternative<verification::Report>(parsed->body)) transaction.clear();
    };
    run_epochs(20);
    EXPECT_GE(scores(0), 18u);
}

// With two verifiers, a leader whose turn ended without its report is the second verifier of the other's.
TEST_F(Committee, AReplacedLeaderAsksAnewAsSecondVerifier) {
    make(2, 2);
    for (auto& node : nodes_)
        node->change = [this](Bytes& transaction) {
            auto parsed = verification::parse_transaction(transaction);
            if (std::holds_alternative<verification::Report>(parsed->body) &&
                state_->epoch().leader(0) == parsed->sender)
                transaction.clear();
        };
    at_block_ = [this] { models_[1].answers = phase() == Phase::recheck; };
    run_epochs(6);
    EXPECT_EQ(scores(1), 0u);
    EXPECT_TRUE(trusted(1));
    EXPECT_GE(scores(0), 5u);
    EXPECT_EQ(refused_, std::vector<std::string>());
}

TEST_F(Committee, OneThatVotesNonsenseMovesNothingAndIsFlagged) {
    make(4, 2);
    nodes_[1]->opinion = 0;
    run_epochs(20);
    EXPECT_GT(reputation(0), 900'000u);
    EXPECT_TRUE(state_->flagged(nodes_[1]->identity.id()));
    EXPECT_FALSE(state_->flagged(nodes_[0]->identity.id()));
}

// A leader asks what it likes: its transcript is not the plan's, and nobody scores by it.
TEST_F(Committee, ALeaderOffThePlanIsNotFollowed) {
    make(4, 2);
    run_epochs(1);
    auto before = reputation(0);
    for (auto& node : nodes_)
        node->change = [&](Bytes& transaction) {
            auto parsed = verification::parse_transaction(transaction);
            auto* report = std::get_if<verification::Report>(&parsed->body);
            if (report == nullptr) return;
            report->transcript[0] ^= 1;
            for (auto& signer : nodes_)
                if (signer->identity.id() == parsed->sender)
                    transaction = verification::sign(*parsed, signer->identity);
        };
    run_epochs(5);
    EXPECT_EQ(reputation(0), before);
}

// Nodes look at the clock more often than there are blocks, and whom to challenge is known with a block only.
TEST_F(Committee, ALeaderAsksNobodyBeforeThePlanIsKnown) {
    parameters_.nodes_per_epoch = 2;
    draw_ms_ = 2'100;  // no block comes just then
    make(4, 8);
    for (auto& node : nodes_) node->restless = true;
    run_epochs(10);
    std::uint64_t all = 0;
    for (std::size_t model = 0; model < 8; ++model) all += scores(model);
    EXPECT_GE(all, 8u);
    EXPECT_LE(all, 45u) << "2 of 8 an epoch on average";
    EXPECT_EQ(refused_, std::vector<std::string>());
    for (const auto& node : nodes_) EXPECT_EQ(node->agent->problem(), "");
}

class Restart : public Committee, public testing::WithParamInterface<Phase> {};

// One verifier is killed in a phase of each epoch and started again: nothing counts twice, nobody contradicts itself.
TEST_P(Restart, InAnyPhaseLosesNothing) {
    make(4, 3);
    std::uint64_t killed_in = ~std::uint64_t{0};
    at_block_ = [&] {
        Node& victim = *nodes_[state_->epoch().number % 4];
        if (phase() != GetParam()) {
            for (auto& node : nodes_)
                if (!node->agent) node->start();
        } else if (victim.agent && killed_in != state_->epoch().number) {
            killed_in = state_->epoch().number;
            victim.agent.reset();
        }
    };
    run_epochs(12);
    EXPECT_EQ(equivocations(), 0u);
    EXPECT_GE(scores(0), 9u);
    EXPECT_LE(scores(0), 12u);
    for (std::size_t model = 0; model < 3; ++model) EXPECT_TRUE(trusted(model));
}

// What it said before it was killed reaches a block only after it has said it again.
TEST_P(Restart, WhatWasUnderWayIsNotContradicted) {
    make(4, 3);
    int killed = 0;
    for (auto& node : nodes_)
        node->change = [this](Bytes& transaction) {
            clock_.after(1500ms, [this, late = std::move(transaction)] { pending_.push_back(late); });
            transaction.clear();
        };
    at_block_ = [&] {
        Node& victim = *nodes_[state_->epoch().number % 4];
        if (phase() != GetParam() || random_.below(4) != 0) return;
        ++killed;
        clock_.after(100ms, [&victim] {
            victim.agent.reset();
            victim.start();
        });
    };
    run_epochs(12);
    EXPECT_GT(killed, 8);
    EXPECT_EQ(equivocations(), 0u);
    EXPECT_GE(scores(0), 6u);
    for (std::size_t model = 0; model < 3; ++model) EXPECT_TRUE(trusted(model));
}

TEST(OwnStatements, AreKeptAsTheyWere) {
    OwnStatements said{.epoch = 7, .statements = {{"commit", {1, 2, 3}}, {"reveal", {}}}, .transcript = Bytes(1000, 5)};
    const Bytes bytes = serialise(said);
    auto same = parse_own_statements(bytes);
    ASSERT_TRUE(same);
    EXPECT_EQ(*same, said);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(parse_own_statements(ByteView(bytes).first(size))) << size;
    Bytes more = bytes;
    more.push_back(0);
    EXPECT_FALSE(parse_own_statements(more));
}

INSTANTIATE_TEST_SUITE_P(Phases, Restart,
                         testing::Values(Phase::draw, Phase::challenge, Phase::recheck, Phase::commit, Phase::reveal,
                                         Phase::idle));

TEST_F(Committee, ATranscriptThatWasChangedIsRefused) {
    make(1, 2);
    run_epochs(1);
    clock_.run_for(13s);
    std::uint64_t epoch = state_->epoch().number;
    ASSERT_TRUE(state_->epoch().report);
    Bytes bytes = to_bytes(nodes_[0]->agent->transcript(epoch));
    auto transcript = parse_transcript(bytes);
    ASSERT_TRUE(transcript);
    EXPECT_EQ(serialise(*transcript), bytes);
    EXPECT_EQ(transcript->entries.size(), 4u);
    auto plan = *state_->epoch().plan(parameters_);
    EXPECT_TRUE(check(*transcript, plan, pool_));
    auto changed = *transcript;
    changed.entries[0].answer->tokens.push_back(scoring::TokenId(7));
    EXPECT_EQ(check(changed, plan, pool_).error().code, ErrorCode::authentication);
    changed = *transcript;
    std::swap(changed.entries[0].answer, changed.entries[1].answer);
    EXPECT_EQ(check(changed, plan, pool_).error().code, ErrorCode::invalid_argument);
    changed = *transcript;
    changed.entries[1].index = 9;
    EXPECT_FALSE(check(changed, plan, pool_));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        ASSERT_FALSE(parse_transcript(ByteView(bytes).first(size))) << size;
}

}  // namespace
}  // namespace planetserve::verification_agent
