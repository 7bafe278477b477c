// What the configurations of all roles share. One YAML file configures one node; configs/*.example.yaml explains every
// key, docs/operating.md says how to run a node.
//
// Every key is optional unless its comment says "required". A key that does not exist is refused by name, and the error
// lists the keys that do. Errors name the file, the line where YAML gives one, the key, and what was expected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/endpoint.h"
#include "base/result.h"

namespace planetserve::config {

// How much a node logs: this level and everything more severe.
enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, critical, off };

struct CommonConfig {
    std::filesystem::path file;     // where this was read from, so that a node can read it again; no key
    std::filesystem::path home;     // required: the node's keys, caches and run file
    std::filesystem::path genesis;  // required: which network to join
    // Where links are accepted; 127.0.0.1:0 takes a free port. Links are authenticated, so any address is safe.
    std::string listen = "127.0.0.1:0";
    // The address that others are told, when it differs from the one listened on.
    std::optional<Endpoint> advertise;
    LogLevel log_level = LogLevel::info;
    std::string operator_name;  // for everybody to see
};

// Parses an address to listen on, where port 0 takes a free one.
Result<Endpoint> parse_listen(const std::string& text);

}  // namespace planetserve::config
