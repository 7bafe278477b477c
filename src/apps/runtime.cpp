#include "apps/runtime.h"

#include <google/protobuf/stubs/logging.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <stdexcept>

#include "apps/version.h"

namespace planetserve::apps {

namespace asio = boost::asio;

namespace {

constexpr Duration keep_list_every = 30s;
constexpr Duration stop_deadline = 8s;
constexpr Duration last_words = 200ms;
// A failure of the directory that comes again is logged again after this.
constexpr Duration log_again = 60s;
constexpr std::size_t most_logged = 64;

template <typename T>
T require(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

const char* role_name(wire::Role role) {
    switch (role) {
        case wire::Role::user:
            return "user";
        case wire::Role::model:
            return "model";
        case wire::Role::verifier:
            return "verifier";
    }
    return "unknown";
}

void set_up_logging(const std::string& level) {
    auto logger = spdlog::stderr_logger_st("planetserve");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
    // What peers send may well not parse; that is answered, not printed.
    google::protobuf::SetLogHandler(nullptr);
}

crypto::NodeKeys load_keys(const CommonConfig& config, Random& random) {
    std::filesystem::create_directories(config.home);
    std::filesystem::permissions(config.home, std::filesystem::perms::owner_all);
    return require(crypto::load_or_create_keys(config.home / "keys", random));
}

committee::Genesis load_genesis(const CommonConfig& config) {
    auto genesis = committee::Genesis::parse(require(read_file(config.genesis)));
    if (!genesis) throw std::runtime_error(config.genesis.string() + ": " + genesis.error().message);
    return std::move(*genesis);
}

}  // namespace

Runtime::Runtime(const CommonConfig& config, wire::Role role)
    : config_(config), role_kind_(role), keys_(load_keys(config, random_)), genesis_(load_genesis(config)) {
    set_up_logging(config.log_level);
    wire::Hello hello;
    hello.network = genesis_.network();
    hello.role = role;
    hello.software = std::string("planetserve ") + version;
    links_ = std::make_unique<adapters::LinkManager>(
        context_, keys_.identity, hello, adapters::LinkOptions{}, static_cast<adapters::LinkEvents&>(*this),
        [this](const NodeId& id) { return resolve(id); }, random_, clock_);
    directory_ = std::make_unique<committee::DirectoryClient>(
        genesis_, keys_.identity, committee::DirectoryClientOptions{}, *links_, random_, clock_.read(),
        [this](const committee::DirectoryList& list) { take_list(list); },
        [this] { return role_ == nullptr ? committee::Load{} : role_->load(); });
    address_ = require(links_->listen(require(parse_listen(config.listen))));
    if (config.advertise) address_ = *config.advertise;
}

Runtime::~Runtime() = default;

void Runtime::attach(RoleEvents& role, std::optional<committee::NodeDescriptor> descriptor) {
    role_ = &role;
    if (auto kept = read_file(config_.home / "directory.bin", 64 << 20)) {
        if (auto adopted = directory_->adopt(as_bytes(*kept), clock_.read()); !adopted)
            spdlog::warn("the kept list is not used: {}", adopted.error().message);
    }
    if (descriptor) describe(std::move(descriptor));
    rearm();
}

void Runtime::describe(std::optional<committee::NodeDescriptor> descriptor) {
    if (descriptor) {
        descriptor->id = keys_.identity.id();
        descriptor->role = role_kind_;
        descriptor->onion_key = keys_.onion.public_key();
        descriptor->addresses = {address_};
        descriptor->operator_name = config_.operator_name;
        descriptor->software = std::string("planetserve ") + version;
        directory_->set_descriptor(std::move(*descriptor), clock_.read());
    } else {
        directory_->leave(clock_.read());
    }
    rearm();
}

int Runtime::run(const std::string& api, std::function<void(std::function<void()> finished)> on_stop) {
    RunFile run{0, 0, keys_.identity.id().hex(), role_name(role_kind_), address_.to_string(), api};
    if (auto written = write_run_file(config_.home, run); !written) throw std::runtime_error(written.error().message);
    spdlog::info("{} node {} listens on {}{}", role_name(role_kind_), keys_.identity.id().brief(), address_.to_string(),
                 api.empty() ? "" : ", API on " + api);
    asio::signal_set signals(context_, SIGTERM, SIGINT);
    asio::steady_timer end(context_);
    auto end_in = [&](Duration delay) {
        end.expires_after(delay);
        end.async_wait([&](boost::system::error_code error) {
            if (error) return;
            links_->shut_down();
            context_.stop();
        });
    };
    signals.async_wait([&](boost::system::error_code error, int signal) {
        if (error) return;
        spdlog::info("signal {}: stopping", signal);
        signals.async_wait([&](boost::system::error_code, int) { end_in(Duration{}); });
        directory_->leave(clock_.read());
        end_in(stop_deadline);
        // What was said last still goes out.
        on_stop([&] { end_in(last_words); });
    });
    context_.run();
    keep_list();
    remove_run_file(config_.home);
    return 0;
}

std::vector<Endpoint> Runtime::resolve(const NodeId& id) const {
    if (auto validator = directory_->validator_address(id)) return {*validator};
    auto found = addresses_.find(id);
    return found == addresses_.end() ? std::vector<Endpoint>{} : found->second;
}

void Runtime::know(const std::map<NodeId, committee::Entry>& entries) {
    addresses_.clear();
    for (const auto& [id, entry] : entries)
        if (entry.descriptor) addresses_[id] = entry.descriptor->addresses;
}

void Runtime::take_list(const committee::DirectoryList& list) {
    know(list.entries);
    if (role_ != nullptr) role_->on_list(list);
    if (!kept_at_ || clock_.now() - *kept_at_ >= keep_list_every) keep_list();
}

void Runtime::keep_list() {
    Bytes kept = directory_->keep();
    if (kept.empty()) return;
    kept_at_ = clock_.now();
    if (auto written = write_file(config_.home / "directory.bin", to_string(kept)); !written)
        spdlog::warn("{}", written.error().message);
}

void Runtime::on_link_up(const NodeId& peer, const wire::Hello& hello) {
    spdlog::debug("link to {} up ({})", peer.brief(), hello.software);
}

void Runtime::on_link_down(const NodeId& peer, const Error& why) {
    spdlog::debug("link to {} down: {}", peer.brief(), why.message);
    directory_->on_link_down(peer, clock_.read());
    if (role_ != nullptr) role_->on_link_down(peer);
    rearm();
}

void Runtime::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    if (type == wire::FrameType::call_response)
        directory_->on_response(from, payload, clock_.read());
    else if (role_ != nullptr)
        role_->on_frame(from, type, payload);
    rearm();
}

void Runtime::on_drained(const NodeId& peer) {
    if (role_ != nullptr) role_->on_drained(peer);
    rearm();
}

void Runtime::rearm() {
    if (std::exchange(rearm_posted_, true)) return;
    asio::post(context_, [this] {
        rearm_posted_ = false;
        log_directory();
        arm_timer();
    });
}

// What a verification node did wrong is no problem any more when the next one was asked; the log keeps it.
void Runtime::log_directory() {
    if (directory_->failures() == std::exchange(failures_seen_, directory_->failures())) return;
    const Time now = clock_.now();
    auto [told, first] = logged_.try_emplace(directory_->last_failure(), now);
    if (!first && now < told->second + log_again) return;
    told->second = now;
    spdlog::warn("directory: {}", directory_->last_failure());
    if (logged_.size() > most_logged) logged_.clear();
}

void Runtime::arm_timer() {
    // A verification node is the directory; it asks nobody.
    Time next = role_kind_ == wire::Role::verifier ? Time::max() : directory_->next_timer();
    if (role_ != nullptr) next = std::min(next, role_->next_timer());
    if (next >= armed_ || next == Time::max()) return;
    armed_ = next;
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())));
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;  // armed anew, for an earlier time
        armed_ = Time::max();
        if (role_kind_ != wire::Role::verifier) directory_->on_timer(clock_.read());
        if (role_ != nullptr) role_->on_timer();
        rearm();
    });
}

}  // namespace planetserve::apps
