#include "config/settings.h"

#include <algorithm>

#include "config/yaml_reader.h"

namespace planetserve::config {

namespace {

void collect(const YAML::Node& node, const std::string& name, Settings& settings) {
    if (!node.IsMap()) {
        settings[name] = YAML::Dump(node);
        return;
    }
    for (const auto& item : node) {
        const auto key = item.first.as<std::string>();
        collect(item.second, name.empty() ? key : name + "." + key, settings);
    }
}

}  // namespace

Result<Settings> read_settings(const std::filesystem::path& file) {
    Settings settings;
    auto read = read_document(file, [&](const YAML::Node& node) { collect(node, "", settings); });
    if (!read) return std::unexpected(read.error());
    return settings;
}

std::vector<std::string> changed_keys(const Settings& before, const Settings& after) {
    std::vector<std::string> changed;
    for (const auto& [key, value] : after)
        if (auto old = before.find(key); old == before.end() || old->second != value) changed.push_back(key);
    for (const auto& [key, value] : before)
        if (!after.contains(key)) changed.push_back(key);
    std::ranges::sort(changed);
    return changed;
}

}  // namespace planetserve::config
