#include "config/yaml_reader.h"

#include <charconv>

namespace planetserve::config {

namespace {

const std::map<std::string, LogLevel> log_levels{{"trace", LogLevel::trace},       {"debug", LogLevel::debug},
                                                 {"info", LogLevel::info},         {"warn", LogLevel::warning},
                                                 {"warning", LogLevel::warning},   {"error", LogLevel::error},
                                                 {"critical", LogLevel::critical}, {"off", LogLevel::off}};

void read_log_level(const YAML::Node& node, LogLevel& target) {
    auto found = log_levels.find(read_text(node));
    if (found == log_levels.end())
        throw YAML::Exception(node.Mark(), "must be one of trace, debug, info, warning, error, critical, off");
    target = found->second;
}

// An error that names its key already.
class KeyError final : public YAML::Exception {
    using YAML::Exception::Exception;
};

}  // namespace

void refuse(const std::string& why) { throw YAML::Exception(YAML::Mark::null_mark(), why); }

std::string read_text(const YAML::Node& node) {
    if (!node.IsScalar()) throw YAML::Exception(node.Mark(), "must be text");
    return node.Scalar();
}

bool read_flag(const YAML::Node& node) {
    bool value = false;
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value))
        throw YAML::Exception(node.Mark(), "must be true or false");
    return value;
}

std::uint64_t read_number(const YAML::Node& node, std::uint64_t least, std::uint64_t most) {
    std::uint64_t value = 0;
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < least || value > most)
        throw YAML::Exception(node.Mark(),
                              "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return value;
}

Endpoint read_endpoint(const YAML::Node& node) {
    auto endpoint = Endpoint::parse(read_text(node));
    if (!endpoint) throw YAML::Exception(node.Mark(), endpoint.error().message);
    return *endpoint;
}

Setter into(std::string& target) {
    return [&target](const YAML::Node& node) { target = read_text(node); };
}
Setter into(bool& target) {
    return [&target](const YAML::Node& node) { target = read_flag(node); };
}
Setter into(std::filesystem::path& target) {
    return [&target](const YAML::Node& node) { target = read_text(node); };
}
Setter into(std::vector<std::string>& target) {
    return [&target](const YAML::Node& list) {
        if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "must be a list");
        target.clear();
        for (const auto& item : list) target.push_back(read_text(item));
    };
}
Setter into(Endpoint& target) {
    return [&target](const YAML::Node& node) { target = read_endpoint(node); };
}

void read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys) {
    if (!node.IsMap()) throw YAML::Exception(node.Mark(), "must be a mapping of keys to values");
    for (const auto& item : node) {
        const auto name = item.first.as<std::string>();
        auto key = keys.find(name);
        if (key == keys.end())
            throw KeyError(item.first.Mark(), "unknown key '" + where + name + "'; there are: " + names_of(keys));
        try {
            key->second(item.second);
        } catch (const KeyError&) {
            throw;
        } catch (const YAML::Exception& error) {
            throw KeyError(item.second.Mark(), "'" + where + name + "': " + error.msg);
        }
    }
}

Setter mapping(std::string where, Keys keys) {
    return
        [where = std::move(where), keys = std::move(keys)](const YAML::Node& node) { read_mapping(node, where, keys); };
}

Keys common_keys(CommonConfig& config) {
    return {{"home", into(config.home)},
            {"genesis", into(config.genesis)},
            {"listen", into(config.listen)},
            {"advertise", into(config.advertise)},
            {"log_level", [&config](const YAML::Node& node) { read_log_level(node, config.log_level); }},
            {"operator", into(config.operator_name)}};
}

Status read_document(const std::filesystem::path& file, const std::function<void(const YAML::Node&)>& read) {
    try {
        read(YAML::LoadFile(file.string()));
    } catch (const YAML::BadFile&) {
        return fail(ErrorCode::io, "cannot read the configuration " + file.string());
    } catch (const YAML::Exception& error) {
        const std::string line = error.mark.is_null() ? "" : ":" + std::to_string(error.mark.line + 1);
        return fail(ErrorCode::invalid_argument, file.string() + line + ": " + error.msg);
    }
    return {};
}

Status read_document(const std::filesystem::path& file, CommonConfig& common,
                     const std::function<void(const YAML::Node&)>& read) {
    common.file = file;
    return read_document(file, read);
}

void check_common(const CommonConfig& config) {
    if (config.home.empty()) refuse("the key 'home' is missing");
    if (config.genesis.empty()) refuse("the key 'genesis' is missing");
}

Result<Endpoint> parse_listen(const std::string& text) {
    if (!text.ends_with(":0")) return Endpoint::parse(text);
    // An endpoint of a peer never has port 0, so Endpoint::parse refuses it.
    auto endpoint = Endpoint::parse(text.substr(0, text.size() - 1) + "1");
    if (endpoint) endpoint->port = 0;
    return endpoint;
}

}  // namespace planetserve::config
