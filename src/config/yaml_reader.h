// Reading YAML mappings into structs: a table of keys with a setter each. For the loaders of this folder alone.
//
// A setter throws YAML::Exception with what it expected; read_mapping puts the key's full name in front.
#pragma once

#include <yaml-cpp/yaml.h>

#include <concepts>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "config/common.h"
#include "config/served_model.h"

namespace planetserve::config {

using Setter = std::function<void(const YAML::Node&)>;
using Keys = std::map<std::string, Setter>;

// Each throws YAML::Exception that says what a value must be.
std::string read_text(const YAML::Node& node);
bool read_flag(const YAML::Node& node);
std::uint64_t read_number(const YAML::Node& node, std::uint64_t least, std::uint64_t most);
Endpoint read_endpoint(const YAML::Node& node);

Setter into(std::string& target);
Setter into(bool& target);
Setter into(std::filesystem::path& target);
Setter into(Endpoint& target);
Setter into(std::vector<std::string>& target);  // a list of texts
template <typename T>
Setter into(std::optional<T>& target) {
    return [&target](const YAML::Node& node) { into(target.emplace())(node); };
}
// A whole number from least to most.
template <std::integral T>
Setter within(T& target, std::uint64_t least, std::uint64_t most) {
    return [&target, least, most](const YAML::Node& node) { target = static_cast<T>(read_number(node, least, most)); };
}

// Applies the setters to a mapping. `where` is the mapping's own name with a dot, "api."; empty for the document.
void read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys);
// A setter that reads a mapping of these keys.
Setter mapping(std::string where, Keys keys);
// "a, b, c": the names of a table's keys.
template <typename Map>
std::string names_of(const Map& map) {
    std::string names;
    for (const auto& [name, value] : map) names += (names.empty() ? "" : ", ") + name;
    return names;
}

Keys common_keys(CommonConfig& config);
Setter models_into(std::vector<ServedModelConfig>& models);

// Throws a YAML::Exception without a place in the file.
[[noreturn]] void refuse(const std::string& why);

// Reads the file's document and runs `read` on it. Returns io where the file cannot be read, and invalid_argument with
// the file, the line and the reason where it is wrong.
Status read_document(const std::filesystem::path& file, const std::function<void(const YAML::Node&)>& read);
// The same, for the configuration of a node: notes where it was read from.
Status read_document(const std::filesystem::path& file, CommonConfig& common,
                     const std::function<void(const YAML::Node&)>& read);
// Refuses a configuration that lacks what every role needs.
void check_common(const CommonConfig& config);

}  // namespace planetserve::config
