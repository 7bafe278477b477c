// Reads the conversation out of the bodies of the three chat APIs, and writes it as a canonical prompt.
#pragma once

#include <boost/json/value.hpp>

#include "base/result.h"
#include "inference/prompt_writer.h"

namespace planetserve::inference {

// Both fail with invalid_argument, as canonical_prompt does (prompt.h).
//
// For /v1/chat/completions and /v1/messages: settings, tools and "messages". `system` is the system's text where the
// API has it beside the messages (Anthropic); null where it is the first of them.
Status write_chat(const boost::json::value& body, const boost::json::value* system, PromptWriter& writer);
// For /v1/responses: "instructions" and "input".
Status write_responses(const boost::json::value& body, PromptWriter& writer);

}  // namespace planetserve::inference
