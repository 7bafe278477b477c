// `planetserve verifier`: the embedded directory of a network with one verification node.

#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>
#include <stdexcept>

#include "adapters/storage/sqlite_store.h"
#include "apps/commands.h"
#include "apps/runtime.h"
#include "apps/terminal.h"
#include "committee/directory_server.h"

namespace planetserve::apps {

namespace {

// Transactions wait this long for company before a block is made of them.
constexpr Duration block_interval = 100ms;

class VerifierRole final : public RoleEvents {
public:
    VerifierRole(Runtime& runtime, committee::EmbeddedEngine& engine)
        : runtime_(runtime), engine_(engine), server_(engine), next_(runtime.clock().now() + block_interval) {}

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        if (type != wire::FrameType::call_request) return;
        server_.on_call(from, payload, runtime_.clock().unix_now(), [this, from](const Bytes& answer) {
            // An asker whose queue is full or that is gone asks again.
            (void)runtime_.links().send(from, wire::FrameType::call_response, {answer});
        });
    }
    void on_link_down(const NodeId&) override {}
    void on_drained(const NodeId&) override {}
    void on_timer() override {
        if (runtime_.clock().now() < next_) return;
        next_ = runtime_.clock().now() + block_interval;
        auto height = engine_.registry().height();
        if (auto made = engine_.tick(runtime_.clock().unix_now()); !made) {
            // A block that cannot be kept must not be built on.
            spdlog::critical("{}", made.error().message);
            std::_Exit(1);
        }
        if (engine_.registry().height() != height)
            spdlog::debug("block {}: {} entries", engine_.registry().height(), engine_.registry().entries().size());
    }
    Time next_timer() const override { return next_; }
    void on_list(const committee::DirectoryList&) override {}

private:
    Runtime& runtime_;
    committee::EmbeddedEngine& engine_;
    committee::DirectoryServer server_;
    Time next_;
};

}  // namespace

int run_verifier(const std::filesystem::path& file) {
    auto config = load_verifier_config(file);
    if (!config) return error_exit(config.error().message);
    Runtime runtime(config->common, wire::Role::verifier);
    auto store = adapters::SqliteStore::open(runtime.home() / "registry.sqlite");
    if (!store) return error_exit(store.error().message);
    auto engine = committee::EmbeddedEngine::open(runtime.genesis(), runtime.keys().identity, **store);
    if (!engine) return error_exit(engine.error().message);
    VerifierRole role(runtime, **engine);
    runtime.attach(role, std::nullopt);
    return runtime.run("", [](const std::function<void()>& finished) { finished(); });
}

}  // namespace planetserve::apps
