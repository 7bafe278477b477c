// A reply that a Service gives itself, in place of an engine.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "inference/service.h"

namespace planetserve::inference {

// `defer` runs a function soon, on the same thread, not before it returned. The sink then hears the head, the body and
// the end, unless the exchange is gone.
std::unique_ptr<Exchange> own_reply(const std::function<void(std::function<void()>)>& defer, ReplyHead head,
                                    std::string body, ReplySink& sink);

}  // namespace planetserve::inference
