// Paths and exchanges over real processes on the loopback: 15 relays and a model node with an echo engine, each a
// process; the user is the benchmark itself.
//
// setup          building a path of three relays, one round trip, links up already (median); reference: the circuit of
//                three relays of a private Tor network in the same run, from EXTENDCIRCUIT to BUILT, where Debian's
//                tor is installed
// exchange/1KiB  a request of 1 KiB and its reply of 1 KiB over four built paths (median); reference: the same bytes
//                over one link to the model node
// bulk           a reply of 64 MB over four paths; reference: the same bytes over one link
// relay-cpu      seconds of CPU that the relays which are no proxies spend for each 100 MB (10^8 bytes) they send on,
//                during bulk; reference: a process that only passes frames of a cell's size from one link to another
// proxy-cpu      the same of the proxies, which take whole cloves and send sealed cells
// user-cpu, model-cpu   seconds of CPU of the two ends for each 100 MB of reply; reference: over one link
#include <stdexcept>

#include "bench/loopback_network.h"
#include "bench/report.h"
#include "bench/tor_network.h"
#include "node/user_node.h"

namespace {

using namespace planetserve;
using bench::LocalNode;
using bench::LoopbackNetwork;

constexpr std::size_t relay_count = 15;
constexpr std::size_t cell_frame = wire::cell_size + PathId::size;
constexpr std::uint64_t bulk_bytes = 64'000'000;
constexpr int bulk_rounds = 5;
constexpr std::uint64_t forwarded_bytes = 64'000'000;

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> samples) {
    auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    return *middle;
}

// Builds a path over the first three relays and takes it down again.
class SetupBench {
public:
    SetupBench(LocalNode& node, const LoopbackNetwork& network) : node_(node) {
        for (std::size_t i = 0; i < 3; ++i) hops_.push_back({network.relays()[i].id, network.relays()[i].onion_key});
    }

    double build_ms() {
        double start = now_ms();
        auto built = onion::ClientPath::build(hops_, node_.clock().unix_now() + std::chrono::minutes(10),
                                              onion::PathTiming{}, node_.clock().now(), node_.links(), node_.random());
        if (!built) throw std::runtime_error(built.error().message);
        onion::ClientPath& path = **built;
        bool up = false;
        node_.on_frame([&](const NodeId&, wire::FrameType type, MutableByteView payload) {
            if (type == wire::FrameType::path_destroy) throw std::runtime_error("a relay refused the path");
            for (const auto& event : path.on_cell(payload.subspan(PathId::size), node_.clock().now()))
                up = event.kind == onion::PathEvent::Kind::up;
        });
        node_.run_until([&] { return up; }, "a path");
        double took = now_ms() - start;
        path.destroy(onion::DestroyReason::finished);
        return took;
    }

private:
    LocalNode& node_;
    std::vector<onion::SetupHop> hops_;
};

// A user node in this process with four paths to ask over.
class User final : private inference::ReplySink {
public:
    User(LocalNode& node, const LoopbackNetwork& network)
        : node_(node),
          keys_{node.identity(), crypto::AgreementKey::generate(node.random())},
          user_(keys_, node::UserNodeOptions{}, node.links(), node.random(), node.clock()) {
        node_.on_frame([this](const NodeId& from, wire::FrameType type, MutableByteView payload) {
            user_.on_frame(from, type, payload);
        });
        node_.on_tick([this] { user_.on_timer(); });
        node::DirectoryView view;
        std::vector<onion::RelayInfo> relays;
        for (const auto& relay : network.relays()) relays.push_back({relay.id, relay.onion_key});
        view.relays = std::move(relays);
        view.models.push_back({network.model().id, network.model().onion_key, {"echo"}, 4});
        user_.requests().update_directory(view);
        node_.run_until([this] { return user_.requests().ready().has_value(); }, "four paths");
    }
    ~User() override {
        node_.on_tick({});
        node_.on_frame({});
    }

    // Seconds from the start to the end of the reply.
    double ask(const Bytes& body, std::uint64_t reply) {
        received_ = 0;
        ended_ = false;
        inference::Request request{node_.random().id<IdempotencyId>(),
                                   "POST",
                                   "/v1/echo/" + std::to_string(reply),
                                   "application/json",
                                   "echo",
                                   body};
        double start = now_ms();
        auto started = user_.requests().start(std::move(request), *this);
        if (!started) throw std::runtime_error(started.error().message);
        exchange_ = std::move(*started);
        node_.run_until([this] { return ended_; }, "a reply", std::chrono::seconds(120));
        double took = (now_ms() - start) / 1e3;
        exchange_.reset();
        if (received_ != reply) throw std::runtime_error("a reply of the wrong size");
        return took;
    }

    std::vector<onion::PathStatus> paths() const { return user_.requests().pool().status(); }

private:
    void on_head(const inference::ReplyHead& head) override {
        if (head.status != 200) throw std::runtime_error("the echo was refused");
    }
    void on_body(ByteView bytes) override {
        received_ += bytes.size();
        exchange_->consumed(bytes.size());
    }
    void on_end() override { ended_ = true; }
    void on_error(const Error& error) override { throw std::runtime_error(error.message); }

    LocalNode& node_;
    crypto::NodeKeys keys_;
    node::UserNode user_;
    std::unique_ptr<inference::Exchange> exchange_;
    std::uint64_t received_ = 0;
    bool ended_ = false;
};

void bench_setup(LocalNode& node, const LoopbackNetwork& network, bench::Report& report) {
    SetupBench paths(node, network);
    std::string problem;
    auto tor = bench::TorNetwork::start(problem);
    if (!tor) std::cout << "setup has no reference: " << problem << '\n';
    std::vector<double> ours, theirs;
    for (int i = 0; i < 20; ++i) (void)paths.build_ms();  // links come up
    for (int i = 0; tor && i < 5; ++i) (void)tor->build_circuit_ms();
    for (int i = 0; i < 200; ++i) {
        ours.push_back(paths.build_ms());
        if (tor) theirs.push_back(tor->build_circuit_ms());
    }
    report.add("setup", median(ours), "ms", theirs.empty() ? std::nullopt : std::optional(median(theirs)));
}

Bytes chat_body(std::size_t size) {
    std::string head = R"({"model": "echo", "messages": [{"role": "user", "content": ")";
    std::string tail = R"("}]})";
    return to_bytes(head + std::string(size - head.size() - tail.size(), 'x') + tail);
}

void bench_exchange(LocalNode& node, User& user, const LoopbackNetwork& network, bench::Report& report) {
    std::vector<double> ours, direct;
    Bytes body = chat_body(1024);
    for (int i = 0; i < 550; ++i) {
        double start = now_ms();
        node.call(network.model().id, bench::Call::echo, body, "an echo");
        double direct_ms = now_ms() - start;
        double ours_ms = user.ask(body, 1024) * 1e3;
        if (i < 50) continue;
        ours.push_back(ours_ms);
        direct.push_back(direct_ms);
    }
    report.add("exchange/1KiB", median(ours), "ms", median(direct));
}

// The relays of the paths, without and with the proxies.
struct Roles {
    std::vector<bench::NodePlace> relays, proxies;
};

Roles roles_of(const User& user, const LoopbackNetwork& network) {
    Roles roles;
    for (const auto& path : user.paths())
        for (const auto& place : network.relays())
            for (const NodeId& hop : path.relays)
                if (hop == place.id) (hop == path.relays.back() ? roles.proxies : roles.relays).push_back(place);
    return roles;
}

void bench_bulk(LocalNode& node, User& user, const LoopbackNetwork& network, bench::Report& report) {
    Bytes body = chat_body(1024);
    const std::vector<bench::NodePlace> model{network.model()}, forwarder{network.forwarder()};
    std::vector<double> ours, direct, relay, proxy, forward, user_cpu, user_direct, model_ours, model_direct;
    (void)node.pour(network.forwarder().id, 1 << 20, cell_frame);
    (void)user.ask(body, 8 << 20);
    const double hundreds = static_cast<double>(bulk_bytes) / 1e8;
    for (int round = 0; round < bulk_rounds; ++round) {
        auto roles = roles_of(user, network);
        auto relays_before = node.use(roles.relays);
        auto proxies_before = node.use(roles.proxies);
        auto model_before = node.use(model);
        double own = bench::process_cpu_seconds();
        ours.push_back(static_cast<double>(bulk_bytes) / 1e6 / user.ask(body, bulk_bytes));
        user_cpu.push_back((bench::process_cpu_seconds() - own) / hundreds);
        relay.push_back(bench::cpu_per_100_mb(relays_before, node.use(roles.relays)));
        proxy.push_back(bench::cpu_per_100_mb(proxies_before, node.use(roles.proxies)));
        auto model_between = node.use(model);
        model_ours.push_back((model_between[0].cpu_seconds - model_before[0].cpu_seconds) / hundreds);

        own = bench::process_cpu_seconds();
        direct.push_back(static_cast<double>(bulk_bytes) / 1e6 /
                         node.pour(network.model().id, bulk_bytes, wire::maximum_record_size));
        user_direct.push_back((bench::process_cpu_seconds() - own) / hundreds);
        model_direct.push_back((node.use(model)[0].cpu_seconds - model_between[0].cpu_seconds) / hundreds);

        auto forwarder_before = node.use(forwarder);
        (void)node.pour(network.forwarder().id, forwarded_bytes, cell_frame);
        forward.push_back(bench::cpu_per_100_mb(forwarder_before, node.use(forwarder)));
    }
    report.add("bulk", median(ours), "MB/s", median(direct));
    report.add("relay-cpu", median(relay), "s/100MB", median(forward));
    report.add("proxy-cpu", median(proxy), "s/100MB", median(forward));
    report.add("user-cpu", median(user_cpu), "s/100MB", median(user_direct));
    report.add("model-cpu", median(model_ours), "s/100MB", median(model_direct));
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bench_paths", argc, argv);
    LoopbackNetwork network(relay_count);
    LocalNode node(network);
    try {
        bench_setup(node, network, report);
        User user(node, network);
        bench_exchange(node, user, network, report);
        bench_bulk(node, user, network, report);
    } catch (const std::exception& error) {
        std::cerr << "bench_paths: " << error.what() << '\n';
        return 1;
    }
    return report.finish();
}
