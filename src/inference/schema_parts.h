// How a JSON schema is read: what its members hold, where its references lead, and whether its alternatives can be told
// apart.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "base/result.h"

namespace planetserve::inference {

enum class SchemaMember {
    data,          // values, and no schema
    names,         // schemas, each under a name of the user's choice
    alternatives,  // a list of schemas, one of which holds
    together,      // a list of schemas, all of which hold for the same value
    part,          // anything else: a schema, a list of them, or a text or number
};

SchemaMember schema_member(std::string_view name);

// The part that "#/..." names, written as an engine reads it: no escapes, indexes without leading zeros. "#" is the
// whole. invalid_argument where there is none, and for a reference to another document.
Result<const boost::json::value*> resolve_reference(const boost::json::value& root, std::string_view reference);

// Whether no text can begin two of the alternatives for longer than a constant: their kinds differ, or they are objects
// whose first property differs in its name or its constant. At most 64 of them.
bool are_told_apart(const boost::json::value& root, const boost::json::array& alternatives);

}  // namespace planetserve::inference
