#include "roles/user_role.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/files.h"
#include "roles/user_status.h"

namespace planetserve::roles {

namespace {

constexpr std::size_t most_answered = 1024;  // models; a person asks for a few

node::UserNodeOptions options_of(const config::UserConfig& config) {
    node::UserNodeOptions options;
    options.pool.paths = config.paths;
    options.pool.length = config.path_length;
    options.pool.lifetime = std::chrono::seconds(config.path_lifetime_seconds);
    options.pool.rotate_before =
        std::min<std::chrono::milliseconds>(options.pool.rotate_before, options.pool.lifetime / 4);
    options.pool.entries.count = config.entry_relays;
    options.requests.threshold = {config.n, config.k};
    return options;
}

}  // namespace

UserRole::UserRole(Runtime& runtime, const config::UserConfig& config, wire::FrameSender& sender)
    : runtime_(runtime),
      node_(runtime.keys(), options_of(config), sender, runtime.random(), runtime.clock()),
      entries_file_(runtime.home() / "entry_relays"),
      replay_file_(runtime.home() / "replay_tags", 2 * onion::AdmissionLimits{}.maximum_remembered),
      started_(runtime.clock().unix_now()) {
    if (auto kept = read_file(entries_file_)) {
        if (auto loaded = node_.requests().pool().entry_relays().load(*kept); !loaded)
            spdlog::warn("{}: {}", entries_file_.string(), loaded.error().message);
    }
    keep_replay_tags();
}

void UserRole::keep_replay_tags() {
    onion::RelayAdmission& admission = node_.relay().admission();
    for (const auto& setup : replay_file_.load(runtime_.clock().unix_now())) admission.restore(setup);
    admission.set_journal([this](const onion::RelayAdmission::Remembered& setup, const Now& now) {
        auto added = replay_file_.add(setup, now.unix);
        if (!added && replays_kept_)
            spdlog::warn("{}: after a restart, this relay may take a path's set-up twice", added.error().message);
        replays_kept_ = added.has_value();
    });
}

void UserRole::on_list(const committee::DirectoryList& list) {
    node_.requests().update_directory(node::view_of(list.entries, list.reputations, runtime_.keys().identity.id()));
    if (!node_.requests().pool().take_entries_changed()) return;
    if (auto written = write_file(entries_file_, node_.requests().pool().entry_relays().save()); !written)
        spdlog::warn("{}", written.error().message);
}

std::vector<adapters::ServedModel> UserRole::models() {
    const node::DirectoryView& view = node_.requests().directory();
    std::map<std::string, std::size_t> trusted;
    for (const auto& node : view.models)
        if (node.trusted)
            for (const auto& model : node.models) ++trusted[model];
    std::vector<std::string> names = node::model_names(view);
    std::ranges::sort(names, {}, [&](const std::string& name) {
        return std::tuple(!answered_.contains(name), -static_cast<std::int64_t>(trusted[name]), name);
    });
    std::vector<adapters::ServedModel> models;
    for (const auto& name : names) models.push_back({name, started_.milliseconds / 1000, "planetserve"});
    return models;
}

std::string UserRole::problem() {
    const std::string& problem = runtime_.directory().problem();
    return problem.empty() ? "" : "the directory cannot be refreshed: " + problem;
}

void UserRole::on_answered(const std::string& model) {
    if (answered_.size() < most_answered) answered_.insert(model);
}

std::string UserRole::status_json() {
    return user_status(runtime_.keys().identity.id(), node_, runtime_.directory(), runtime_.clock());
}

}  // namespace planetserve::roles
