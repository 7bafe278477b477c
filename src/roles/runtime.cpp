#include "roles/runtime.h"

#include <google/protobuf/stubs/logging.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>

#include "roles/genesis_file.h"
#include "roles/run_file.h"
#include "roles/version.h"

namespace planetserve::roles {

namespace asio = boost::asio;

namespace {

// The role gets this long to finish; then what was said last gets this long to go out.
constexpr Duration stop_deadline = 8s;
constexpr Duration last_frames = 200ms;

template <typename T>
T require(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

spdlog::level::level_enum spdlog_level(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::trace:
            return spdlog::level::trace;
        case config::LogLevel::debug:
            return spdlog::level::debug;
        case config::LogLevel::info:
            return spdlog::level::info;
        case config::LogLevel::warning:
            return spdlog::level::warn;
        case config::LogLevel::error:
            return spdlog::level::err;
        case config::LogLevel::critical:
            return spdlog::level::critical;
        case config::LogLevel::off:
            return spdlog::level::off;
    }
    return spdlog::level::info;
}

void set_up_logging(config::LogLevel level) {
    auto logger = spdlog::stderr_logger_st("planetserve");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    logger->set_level(spdlog_level(level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
    // What a peer sends may not parse: the node answers that, and prints nothing.
    google::protobuf::SetLogHandler(nullptr);
}

HomeLock lock_home(const config::CommonConfig& config) {
    auto lock = HomeLock::take(config.home);
    if (!lock && lock.error().code == ErrorCode::already_exists)
        throw std::runtime_error(lock.error().message + ", and a home is of one node; give this one another 'home'");
    HomeLock taken = require(std::move(lock));
    std::filesystem::permissions(config.home, std::filesystem::perms::owner_all);
    return taken;
}

crypto::NodeKeys load_keys(const config::CommonConfig& config, Random& random) {
    return require(crypto::load_or_create_keys(config.home / "keys", random));
}

// What goes on the wire: the release alone, so that nodes of one release look alike.
std::string software() { return std::string("planetserve ") + version; }

}  // namespace

Runtime::Runtime(const config::CommonConfig& config, const NodeKind& kind)
    : config_(config),
      kind_(kind),
      lock_(lock_home(config)),
      keys_(load_keys(config, random_)),
      genesis_(require(read_genesis(config.genesis))),
      kept_list_(config.home / "directory.bin"),
      alarm_(context_, [this] { return next_timer(); }, [this] { on_timer(); }) {
    set_up_logging(config.log_level);
    wire::Hello hello;
    hello.network = genesis_.network();
    hello.role = kind.role;
    hello.software = software();
    links_ = std::make_unique<adapters::LinkManager>(
        context_, keys_.identity, hello, adapters::LinkOptions{}, static_cast<adapters::LinkEvents&>(*this),
        [this](const NodeId& id) { return resolve(id); }, random_, clock_);
    for (const auto& validator : genesis_.validators) links_->favour(validator.id);
    directory_ = std::make_unique<committee::DirectoryClient>(
        genesis_, keys_.identity, committee::DirectoryClientOptions{}, *links_, random_, clock_.read(),
        [this](const committee::DirectoryList& list) { take_list(list); },
        [this] { return role_ == nullptr ? committee::Load{} : role_->load(); });
    listened_ = require(links_->listen(require(config::parse_listen(config.listen))));
    address_ = std::make_unique<OwnAddress>(context_, config.advertise.value_or(listened_), [this] {
        if (described_) describe(described_);
    });
}

Runtime::~Runtime() = default;

void Runtime::set_log_level(config::LogLevel level) { spdlog::set_level(spdlog_level(level)); }

void Runtime::await_hang_up() {
    hang_up_.async_wait([this](boost::system::error_code error, int) {
        if (error) return;
        if (on_hang_up_) on_hang_up_();
        await_hang_up();
    });
}

void Runtime::attach(RoleEvents& role, std::optional<committee::NodeDescriptor> descriptor) {
    role_ = &role;
    // A model node attaches when its engines are ready; the directory may have answered before.
    if (directory_->list())
        role.on_list(*directory_->list());
    else
        kept_list_.adopt_into(*directory_, clock_.read());
    if (descriptor) describe(std::move(descriptor));
    rearm();
}

void Runtime::describe(std::optional<committee::NodeDescriptor> descriptor) {
    described_ = descriptor;
    if (descriptor) {
        descriptor->id = keys_.identity.id();
        descriptor->role = kind_.role;
        descriptor->onion_key = keys_.onion.public_key();
        descriptor->addresses = address_->addresses();
        descriptor->operator_name = config_.operator_name;
        descriptor->software = software();
        directory_->set_descriptor(std::move(*descriptor), clock_.read());
    } else {
        directory_->leave(clock_.read());
    }
    rearm();
}

void Runtime::run(const std::optional<HttpService>& http, OnStop on_stop) {
    const RunFile run{
        0, 0, keys_.identity.id().hex(), kind_.name, address_->addresses().front().to_string(), http ? http->url : ""};
    if (auto written = write_run_file(config_.home, run); !written) throw std::runtime_error(written.error().message);
    // The address to advertise is the operator's word: nothing may listen there.
    spdlog::info("{} node {} listens on {}{}{}", kind_.name, keys_.identity.id().brief(), listened_.to_string(),
                 config_.advertise ? ", tells others " + address_->addresses().front().to_string() : "",
                 http ? std::string(", ") + http->name + " on " + http->url : "");
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
    await_hang_up();
    signals.async_wait([&](boost::system::error_code error, int signal) {
        if (error) return;
        spdlog::info("signal {}: stopping", signal);
        signals.async_wait([&](boost::system::error_code, int) { end_in(Duration{}); });
        directory_->leave(clock_.read());
        end_in(stop_deadline);
        on_stop([&] { end_in(last_frames); });
    });
    context_.run();
    kept_list_.keep(*directory_);
    remove_run_file(config_.home);
}

std::vector<Endpoint> Runtime::resolve(const NodeId& id) const {
    if (auto validator = directory_->validator_address(id)) return {*validator};
    auto found = addresses_.find(id);
    return found == addresses_.end() ? std::vector<Endpoint>{} : found->second;
}

void Runtime::know(const std::map<NodeId, committee::Entry>& entries) {
    addresses_.clear();
    for (const auto& [id, entry] : entries) {
        if (!entry.descriptor) continue;
        // What a stranger named is not resolved: each dead name would hold up all dials.
        std::vector<Endpoint> addresses = entry.descriptor->addresses;
        std::erase_if(addresses, [](const Endpoint& address) { return !address.has_ip_address(); });
        if (!addresses.empty()) addresses_.emplace(id, std::move(addresses));
    }
}

void Runtime::take_list(const committee::DirectoryList& list) {
    know(list.entries);
    if (role_ != nullptr) role_->on_list(list);
    kept_list_.keep(*directory_, clock_.now());
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
        tell_directory();
        alarm_.look();
    });
}

void Runtime::tell_directory() {
    const auto& list = directory_->list();
    DirectoryFacts facts{.registered = directory_->registered(),
                         .listed = false,
                         .height = list ? list->header.height : 0,
                         .failures = directory_->failures(),
                         .last_failure = directory_->last_failure()};
    if (list) {
        auto own = list->entries.find(keys_.identity.id());
        facts.listed = own != list->entries.end() && own->second.descriptor.has_value();
    }
    for (const JournalLine& line : journal_.update(facts, clock_.now()))
        spdlog::log(line.level == JournalLine::Level::info ? spdlog::level::info : spdlog::level::warn, "{}",
                    line.text);
}

Time Runtime::next_timer() const {
    const Time directory = kind_.directory == DirectoryUse::asks ? directory_->next_timer() : Time::max();
    return role_ == nullptr ? directory : std::min(directory, role_->next_timer());
}

void Runtime::on_timer() {
    if (kind_.directory == DirectoryUse::asks) directory_->on_timer(clock_.read());
    if (role_ != nullptr) role_->on_timer();
    rearm();
}

}  // namespace planetserve::roles
