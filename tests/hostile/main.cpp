// hostile_verifier CONFIG: a verification node of a committee as the program runs it, except for its statements and the
// lists it serves. Files in its home give the orders: `orders` (false_statements.h) and `lists` (false_lists.h). Its
// diary is `said.jsonl`.
//
// hostile_verifier --found GENESIS EPOCHS KEYS...: see founding.h.

#include <curl/curl.h>

#include <cstdlib>
#include <iostream>

#include "adapters/storage/sqlite_store.h"
#include "false_lists.h"
#include "false_statements.h"
#include "founding.h"
#include "roles/status_endpoint.h"
#include "roles/verification_node_role.h"

namespace planetserve::hostile {

namespace {

template <typename T>
T require(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

void require(const Status& status) {
    if (!status) throw std::runtime_error(status.error().message);
}

// The node's honest role, except that it answers directory calls and transcript requests with false data.
class Role final : public roles::RoleEvents {
public:
    Role(roles::Runtime& runtime, roles::CommitteeVerificationNode& honest, FalseStatements& statements,
         FalseLists& lists)
        : runtime_(runtime), honest_(honest), statements_(statements), directory_(lists, runtime.genesis()) {}

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        if (type == wire::FrameType::call_request)
            return directory_.on_call(from, payload, runtime_.clock().read(), [this, from](const Bytes& answer) {
                (void)runtime_.links().send(from, wire::FrameType::call_response, {answer});
            });
        if (type == wire::FrameType::transcript_request && payload.size() >= 8)
            if (auto own = statements_.transcript(load_big_endian<std::uint64_t>(payload))) {
                (void)runtime_.links().send(from, wire::FrameType::transcript, {payload.first(8), *own});
                return;
            }
        honest_.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { honest_.on_link_down(peer); }
    void on_drained(const NodeId& peer) override { honest_.on_drained(peer); }
    void on_timer() override {
        statements_.on_timer();
        honest_.on_timer();
    }
    Time next_timer() const override { return std::min(statements_.next_timer(), honest_.next_timer()); }
    void on_list(const committee::DirectoryList&) override {}

private:
    roles::Runtime& runtime_;
    roles::CommitteeVerificationNode& honest_;
    FalseStatements& statements_;
    committee::DirectoryServer directory_;
};

int run(const std::filesystem::path& file) {
    auto config = require(config::load_verifier_config(file));
    roles::Runtime runtime(config.common, roles::verification_node);
    const auto* self = runtime.genesis().find(runtime.keys().identity.id());
    const char* program = std::getenv("PLANETSERVE_COMETBFT");
    if (self == nullptr || !self->consensus_address || program == nullptr)
        throw std::runtime_error("it needs a place in a committee, and PLANETSERVE_COMETBFT");
    auto store =
        require(adapters::SqliteStore::open(runtime.home() / "registry.sqlite", adapters::Durability::whole_blocks));
    adapters::CometbftOptions options;
    options.program = program;
    options.home = runtime.home() / "consensus";
    options.log = runtime.home() / "consensus.log";
    options.listen = *self->consensus_address;
    std::function<void()> when_stopped;
    adapters::CometbftConsensus engine(runtime.context(), runtime.genesis(), runtime.keys().identity, *store,
                                       runtime.clock(), options,
                                       [&](adapters::ConsensusState state, const std::string&) {
                                           if (state == adapters::ConsensusState::stopped && when_stopped)
                                               when_stopped();
                                       });
    require(engine.run());
    auto registry = [&engine] { return engine.registry(); };
    Diary diary(runtime.home() / "orders", runtime.home() / "said.jsonl");
    FalseStatements statements(runtime, engine, registry, diary);
    FalseLists lists(engine, runtime.home() / "lists");
    roles::CommitteeVerificationNode honest(runtime, engine);
    honest.host_agent(require(roles::VerificationAgentHost::make(runtime, config, statements, registry)));
    Role role(runtime, honest, statements, lists);
    prometheus::Registry metrics;
    auto endpoint =
        require(roles::StatusEndpoint::open(config.status_listen.value_or("127.0.0.1:0"), runtime, honest, metrics));
    runtime.attach(role, std::nullopt);
    runtime.run(roles::StatusEndpoint::service(endpoint.get()), [&](std::function<void()> finished) {
        when_stopped = std::move(finished);
        engine.stop();
    });
    return 0;
}

}  // namespace

}  // namespace planetserve::hostile

int main(int argc, char** argv) {
    namespace hostile = planetserve::hostile;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    try {
        if (arguments.size() == 1) return hostile::run(arguments[0]);
        if (arguments.size() >= 4 && arguments[0] == "--found") {
            std::vector<std::filesystem::path> keys(arguments.begin() + 3, arguments.end());
            hostile::require(hostile::found_led_by_first(arguments[1], keys, std::stoull(arguments[2])));
            return 0;
        }
    } catch (const std::exception& error) {
        std::cerr << "hostile_verifier: " << error.what() << "\n";
        return 1;
    }
    std::cerr << "hostile_verifier CONFIG\nhostile_verifier --found GENESIS EPOCHS KEYS...\n";
    return 2;
}
