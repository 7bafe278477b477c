// JSON that strangers wrote, read within bounds of depth and memory.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace planetserve::inference {

inline constexpr std::size_t json_depth_limit = 128;

// Reads one value of valid UTF-8; its numbers are as exact as a double. A small text can make a large value, so the
// memory that reading and the value take is bounded, in bytes. The bound ends with the reading: its owner may add to
// the value. Fails with malformed: no JSON, or deeper than the limit; exhausted: more memory than that. Never throws.
Result<boost::json::value> parse_json(std::string_view text, std::size_t memory_limit);

// A member of an object; null where the value is null or no object, or has no such member.
const boost::json::value* find(const boost::json::value* value, std::string_view key);
// A member of the object; null where its value is null, or there is none.
const boost::json::value* given(const boost::json::object& object, std::string_view key);
// The text of a string; empty for anything else.
std::optional<std::string_view> text_of(const boost::json::value* value);
// The elements of an array; null for anything else.
const boost::json::array* list_of(const boost::json::value* value);
// A whole number from 0 to 2^48. A larger count is not believed.
std::optional<std::uint64_t> count_of(const boost::json::value* value);
std::optional<double> number_of(const boost::json::value* value);
bool is_true(const boost::json::value* value);
// A name as readers see it that take capitals for small letters; other bytes than A to Z stay.
std::string lower_case(std::string_view name);
bool is_one_of(std::string_view name, std::span<const std::string_view> names);
// Neither absent nor null.
bool is_given(const boost::json::value* value);

// As text without white space, with its members in their order.
std::string compact(const boost::json::value& value);

}  // namespace planetserve::inference
