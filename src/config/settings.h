// The keys of a configuration file with their values as text, so that two readings of it can be compared.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace planetserve::config {

// By full name, "api.key". A list is one value.
using Settings = std::map<std::string, std::string>;

// Errors as those of the configurations: the file, the line, the reason.
Result<Settings> read_settings(const std::filesystem::path& file);

// The names of keys that were added, removed or have another value, in order.
std::vector<std::string> changed_keys(const Settings& before, const Settings& after);

}  // namespace planetserve::config
