// Which members of a body reach an engine.
//
// llama-server's are known to the last, since it comes with this project: those that are not for users are refused, and
// the body passes as it came (its digest is signed). An upstream is anybody's server. It may obey members that nobody
// here has heard of, or read "Model" as "model"; so it gets the members that are known to be harmless, and of each one.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace planetserve::inference {

// The first member that is not for users of the network; empty when there is none.
std::optional<std::string> operators_member(const boost::json::object& body);

// Whether an upstream gets the member. The others are dropped.
bool passes_to_upstream(std::string_view name);

// Chat templates take arguments besides the messages: switches and short texts. Returns what is wrong with these
// arguments; empty when nothing is.
std::optional<std::string> wrong_template_arguments(const boost::json::value& arguments);

// The body with the members that pass, of several of one name the last, and with the model given.
std::string upstream_body(const boost::json::object& body, std::string_view model);

}  // namespace planetserve::inference
