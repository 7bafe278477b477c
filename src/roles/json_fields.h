// Members of the small JSON files that nodes and networks keep (run.json, network.json).
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>

namespace planetserve::roles {

// Empty where there is no such text.
inline std::string text_of(const boost::json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// 0 where there is no such number.
inline std::int64_t number_of(const boost::json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

}  // namespace planetserve::roles
