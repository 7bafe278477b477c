#include "roles/reload.h"

#include <spdlog/spdlog.h>

namespace planetserve::roles {

namespace {

std::string list_of(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

Reload::Reload(std::filesystem::path file, std::set<std::string> live, Take take)
    : file_(std::move(file)), live_(std::move(live)), take_(std::move(take)) {
    if (auto now = config::read_settings(file_)) used_ = std::move(*now);
}

void Reload::run() {
    auto fresh = config::read_settings(file_);
    Status taken = fresh ? take_() : std::unexpected(fresh.error());
    if (!taken) return spdlog::error("the configuration is not read again: {}", taken.error().message);
    std::vector<std::string> live, later;
    for (const std::string& key : config::changed_keys(used_, *fresh))
        (live_.contains(key) ? live : later).push_back(key);
    for (const std::string& key : live) {
        if (auto value = fresh->find(key); value != fresh->end())
            used_[key] = value->second;
        else
            used_.erase(key);
    }
    spdlog::info("the configuration is read again: {}", live.empty() ? "nothing to take" : "took " + list_of(live));
    if (!later.empty()) spdlog::warn("changed, and taken only when the node starts again: {}", list_of(later));
}

}  // namespace planetserve::roles
