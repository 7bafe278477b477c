// A reply that a Service gives itself, in place of an engine.
#pragma once

#include <memory>
#include <string>

#include "inference/service.h"

namespace planetserve::inference {

// The sink soon hears the head, the body and the end, unless the exchange is gone by then.
std::unique_ptr<Exchange> own_reply(const Defer& defer, ReplyHead head, std::string body, ReplySink& sink);

}  // namespace planetserve::inference
