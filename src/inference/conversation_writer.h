// Reads the conversation out of the bodies of the three chat APIs, and writes it as a canonical prompt.
#pragma once

#include <boost/json/value.hpp>

#include "base/result.h"
#include "inference/prompt_writer.h"

namespace planetserve::inference {

// Both fail with invalid_argument, as canonical_prompt says (prompt.h).
//
// Of /v1/chat/completions and /v1/messages: settings, tools and "messages". The system's text is the first of these, or
// stands beside them and is given (Anthropic); else null.
Status write_chat(const boost::json::value& body, const boost::json::value* system, PromptWriter& writer);
// Of /v1/responses: "instructions" and "input".
Status write_responses(const boost::json::value& body, PromptWriter& writer);

}  // namespace planetserve::inference
