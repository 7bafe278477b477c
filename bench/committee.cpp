// A committee of four verification nodes beside CometBFT's own key-value store, four of it with the same configuration,
// in the same run and turn by turn. All on the loopback, each a process of its own.
//
// commit           milliseconds from sending a registration to a verification node until it serves a list with the node
// in
//                  it, fetched, and checked from the genesis on (median); reference: broadcast_tx_commit of the
//                  key-value store, which is back when the transaction is in a block
// commit-p90       the ninth decile of both
// submitted        milliseconds until a registration is accepted by the mempool (median); reference: broadcast_tx_sync
// verifier-memory  resident MiB of a verification node and its CometBFT (median of four); reference: one of the store's
//
// Two blocks lie between a registration and its list, since a header holds the hash of the state before its block; the
// store's answer needs one. A list is asked for every few milliseconds, as no node does.
//
// Needs what ./planetserve bench exports: PLANETSERVE_COMETBFT.

#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "adapters/cometbft/cometbft_home.h"
#include "adapters/cometbft/cometbft_rpc.h"
#include "adapters/links/link_manager.h"
#include "adapters/process/child_process.h"
#include "bench/report.h"
#include "committee/committee.pb.h"
#include "committee/entry.h"
#include "committee/header_verifier.h"
#include "committee/registry_transaction.h"
#include "crypto/base64.h"
#include "crypto/system_random.h"

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using namespace planetserve;
using bench::Report;

constexpr std::size_t validators = 4;
constexpr int warm_up = 5;
constexpr int turns = 100;
constexpr Duration poll_every = 8ms;  // of a list; a node may ask 32 times a second, each of the four is asked in turn

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double quantile(std::vector<double> samples, double share) {
    std::sort(samples.begin(), samples.end());
    return samples.at(static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1)));
}

template <typename T>
T require(Result<T> result, const std::string& what) {
    if (!result) throw std::runtime_error(what + ": " + result.error().message);
    return std::move(*result);
}
void require(const Status& status, const std::string& what) {
    if (!status) throw std::runtime_error(what + ": " + status.error().message);
}

void write(const fs::path& file, const std::string& content) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << content;
}

double resident_mib(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string word; status >> word;) {
        double kib = 0;
        if (word == "VmRSS:" && status >> kib) return kib / 1024;
    }
    throw std::runtime_error("a process is gone");
}

// The only child of a process.
pid_t child_of(pid_t pid) {
    std::ifstream children("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
    pid_t child = 0;
    if (!(children >> child)) throw std::runtime_error("a verification node without its CometBFT");
    return child;
}

class Loop {
public:
    asio::io_context& context() { return context_; }
    void run_until(const std::function<bool()>& done, const std::string& what, Duration within = 60s) {
        auto end = std::chrono::steady_clock::now() + within;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) throw std::runtime_error("not in time: " + what);
            context_.restart();
            context_.run_one_for(std::chrono::milliseconds(20));
        }
    }
    void run_for(Duration duration) {
        context_.restart();
        context_.run_for(duration);
    }

private:
    asio::io_context context_{1};
};

committee::Genesis make_genesis(const fs::path& home, std::uint16_t first_port, crypto::SystemRandom& random) {
    committee::Genesis genesis{"bench", SystemClock().unix_now(), {}, {}};
    for (std::size_t i = 0; i < validators; ++i) {
        auto keys = require(crypto::load_or_create_keys(home / std::to_string(i) / "keys", random), "keys");
        auto port = static_cast<std::uint16_t>(first_port + 2 * i);
        genesis.validators.push_back({"v" + std::to_string(i),
                                      keys.identity.id(),
                                      1,
                                      {"127.0.0.1", port},
                                      Endpoint{"127.0.0.1", static_cast<std::uint16_t>(port + 1)}});
    }
    return genesis;
}

// Four of CometBFT's own application.
class Stores {
public:
    Stores(Loop& loop, const fs::path& home, std::uint16_t first_port, const fs::path& program) {
        crypto::SystemRandom random;
        auto genesis = make_genesis(home, first_port, random);
        for (std::size_t i = 0; i < validators; ++i) {
            fs::path own = home / std::to_string(i);
            auto keys = require(crypto::load_or_create_keys(own / "keys", random), "keys");
            adapters::CometbftHome engine{own / "consensus", own / "a.sock", own / "r.sock",
                                          *genesis.validators[i].consensus_address};
            require(adapters::prepare_cometbft_home(genesis, keys.identity, engine), "home");
            std::string config = adapters::cometbft_config(genesis, keys.identity.id(), engine);
            std::string application = "unix://" + engine.abci_socket.string();
            config.replace(config.find(application), application.size(), "kvstore");
            write(engine.path / "config" / "config.toml", config);
            children_.push_back(
                require(adapters::ChildProcess::start(
                            loop.context(), {program, "start", "--home", engine.path}, own / "log",
                            [](const adapters::ProcessEnd& end) { throw std::runtime_error("kvstore " + end.words); }),
                        "CometBFT"));
            rpc_.push_back(std::make_unique<adapters::CometbftRpc>(loop.context(), engine.rpc_socket, 20s));
        }
    }

    // Milliseconds until the answer; nothing when it is refused.
    std::optional<double> ask(Loop& loop, std::size_t which, const std::string& method,
                              const std::string& transaction) {
        std::optional<bool> good;
        double begun = now_ms();
        rpc_[which]->call(method, {{"tx", crypto::to_base64(as_bytes(transaction))}},
                          [&](const Result<json::value>& result) { good = result.has_value(); });
        loop.run_until([&] { return good.has_value(); }, method);
        return *good ? std::optional(now_ms() - begun) : std::nullopt;
    }
    std::vector<double> memory() const {
        std::vector<double> mib;
        for (const auto& child : children_) mib.push_back(resident_mib(child->pid()));
        return mib;
    }

private:
    std::vector<std::unique_ptr<adapters::ChildProcess>> children_;
    std::vector<std::unique_ptr<adapters::CometbftRpc>> rpc_;
};

// Four verification nodes, and a node that asks them.
class Committee final : private adapters::LinkEvents {
public:
    Committee(Loop& loop, const fs::path& home, std::uint16_t first_port, const fs::path& program)
        : loop_(loop),
          genesis_(make_genesis(home, first_port, random_)),
          requester_(crypto::Identity::generate(random_)) {
        write(home / "genesis.json", genesis_.to_json());
        for (std::size_t i = 0; i < validators; ++i) {
            fs::path own = home / std::to_string(i);
            write(own / "config.yaml", "home: " + own.string() + "\ngenesis: " + (home / "genesis.json").string() +
                                           "\nlisten: '" + genesis_.validators[i].address.to_string() + "'\n");
            children_.push_back(
                require(adapters::ChildProcess::start(
                            loop.context(), {program, "verifier", "--config", own / "config.yaml"}, own / "log",
                            [](const adapters::ProcessEnd& end) { throw std::runtime_error("verifier " + end.words); }),
                        "verifier"));
        }
        wire::Hello hello;
        hello.network = genesis_.network();
        hello.role = wire::Role::user;
        hello.software = "bench";
        links_ = std::make_unique<adapters::LinkManager>(
            loop.context(), requester_, hello, adapters::LinkOptions{}, static_cast<adapters::LinkEvents&>(*this),
            [this](const NodeId& id) {
                const auto* validator = genesis_.find(id);
                return validator == nullptr ? std::vector<Endpoint>{} : std::vector<Endpoint>{validator->address};
            },
            random_, clock_);
    }

    struct Times {
        double submitted = 0;
        double listed = 0;
    };
    // A new node's registration; nothing when the committee refuses it.
    std::optional<Times> register_one(std::size_t which) {
        auto identity = crypto::Identity::generate(random_);
        auto sequence = static_cast<std::uint64_t>(clock_.unix_now().milliseconds);
        committee::NodeDescriptor descriptor{
            identity.id(), wire::Role::user, {identity.id().value}, {{"127.0.0.1", 7700}}, {}, 0, "", "bench"};
        committee::proto::Call submit;
        submit.set_submit(to_string(
            committee::sign(committee::make_register(descriptor, genesis_.network(), sequence, identity), identity)));
        double begun = now_ms();
        auto answer = call(which, submit);
        if (!answer || !answer->submitted()) return std::nullopt;
        Times times{now_ms() - begun, 0};
        while (!listed(which, identity.id())) loop_.run_for(poll_every);
        times.listed = now_ms() - begun;
        return times;
    }
    std::vector<double> memory() const {
        std::vector<double> mib;
        for (const auto& child : children_)
            mib.push_back(resident_mib(child->pid()) + resident_mib(child_of(child->pid())));
        return mib;
    }

private:
    bool listed(std::size_t which, const NodeId& id) {
        committee::proto::Call fetch;
        fetch.mutable_fetch()->set_known_app_hash(to_string(known_));
        auto answer = call(which, fetch);
        if (!answer || answer->body_case() != committee::proto::Answer::kPart) return false;
        auto header = require(committee::from_proto(answer->part().header()), "header");
        if (header.height <= height_) return false;  // of a node that is a block behind the one asked before
        require(verifier_.verify(header, clock_.unix_now()), "proof");
        auto state = require(committee::parse_state(as_bytes(answer->part().bytes())), "list");
        if (state.app_hash != header.app_hash) throw std::runtime_error("a list that is not its header's");
        height_ = header.height;
        known_ = header.app_hash;
        return state.entries.contains(id);
    }

    std::optional<committee::proto::Answer> call(std::size_t which, const committee::proto::Call& body) {
        std::array<std::uint8_t, 8> id{};
        store_big_endian(MutableByteView(id), ++calls_);
        answer_.reset();
        lost_ = false;
        std::string bytes = body.SerializeAsString();
        if (!links_->send(genesis_.validators[which].id, wire::FrameType::call_request, {id, as_bytes(bytes)}))
            return std::nullopt;
        loop_.run_until([&] { return answer_ || lost_; }, "an answer");
        return std::exchange(answer_, std::nullopt);
    }

    void on_link_up(const NodeId&, const wire::Hello&) override {}
    void on_link_down(const NodeId&, const Error&) override { lost_ = true; }
    void on_frame(const NodeId&, wire::FrameType type, MutableByteView payload) override {
        if (type != wire::FrameType::call_response || payload.size() < 8) return;
        if (load_big_endian<std::uint64_t>(payload) != calls_) return;
        answer_.emplace();
        if (!answer_->ParseFromArray(payload.data() + 8, static_cast<int>(payload.size() - 8))) answer_.reset();
    }
    void on_drained(const NodeId&) override {}

    Loop& loop_;
    crypto::SystemRandom random_;
    SystemClock clock_;
    committee::Genesis genesis_;
    crypto::Identity requester_;
    committee::HeaderVerifier verifier_{genesis_};
    std::vector<std::unique_ptr<adapters::ChildProcess>> children_;
    std::unique_ptr<adapters::LinkManager> links_;
    std::optional<committee::proto::Answer> answer_;
    crypto::Digest known_{};
    std::int64_t height_ = 0;
    std::uint64_t calls_ = 0;
    bool lost_ = false;
};

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (fs::temp_directory_path() / "planetserve-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path_ = pattern;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// Ports below those that the kernel gives away by itself.
std::uint16_t first_port(Random& random) { return static_cast<std::uint16_t>(15'000 + 20 * random.below(800)); }

void measure(Report& report) {
    const char* cometbft = std::getenv("PLANETSERVE_COMETBFT");
    if (cometbft == nullptr || !fs::exists(cometbft))
        throw std::runtime_error(
            "no CometBFT at PLANETSERVE_COMETBFT; ./planetserve bench committee builds it where Go is");
    TemporaryFolder folder;
    Loop loop;
    crypto::SystemRandom random;
    std::uint16_t port = first_port(random);
    Stores stores(loop, folder.path() / "stores", port, cometbft);
    Committee committee(loop, folder.path() / "committee", static_cast<std::uint16_t>(port + 10),
                        fs::read_symlink("/proc/self/exe").parent_path() / "planetserve");
    auto patient = [&](const std::function<bool()>& attempt, const std::string& what) {
        for (int tries = 0; !attempt(); ++tries) {
            if (tries == 300) throw std::runtime_error("not in time: " + what);
            loop.run_for(100ms);
        }
    };
    patient([&] { return stores.ask(loop, 0, "broadcast_tx_commit", "begin=1").has_value(); }, "the key-value stores");
    for (std::size_t which = 0; which < validators; ++which)
        patient([&] { return committee.register_one(which).has_value(); }, "the committee");
    std::vector<double> listed, submitted, committed, synced;
    for (int turn = -warm_up; turn < turns; ++turn) {
        auto which = static_cast<std::size_t>(turn + warm_up) % validators;
        std::string number = std::to_string(turn + warm_up);
        auto commit = stores.ask(loop, which, "broadcast_tx_commit", "c" + number + "=" + std::string(300, 'v'));
        auto sync = stores.ask(loop, which, "broadcast_tx_sync", "s" + number + "=" + std::string(300, 'v'));
        loop.run_for(150ms);  // both come to rest
        auto times = committee.register_one(which);
        loop.run_for(150ms);
        if (!commit || !sync || !times) throw std::runtime_error("a transaction was refused");
        if (turn < 0) continue;
        listed.push_back(times->listed);
        submitted.push_back(times->submitted);
        committed.push_back(*commit);
        synced.push_back(*sync);
    }
    report.add("commit", quantile(listed, 0.5), "ms", quantile(committed, 0.5));
    report.add("commit-p90", quantile(listed, 0.9), "ms", quantile(committed, 0.9));
    report.add("submitted", quantile(submitted, 0.5), "ms", quantile(synced, 0.5));
    report.add("verifier-memory", quantile(committee.memory(), 0.5), "MiB", quantile(stores.memory(), 0.5));
}

}  // namespace

int main(int argc, char** argv) {
    Report report("bench_committee", argc, argv);
    try {
        measure(report);
    } catch (const std::exception& error) {
        std::cerr << "bench_committee: " << error.what() << '\n';
        return 1;
    }
    return report.finish();
}
