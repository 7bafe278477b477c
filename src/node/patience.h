// How long a user waits for the first byte of an answer once a model node has the request. A node says every few
// seconds that it is at work, and a hostile one says so for ever, so this does not depend on what it says. Pure.
#pragma once

#include "base/time.h"
#include "inference/service.h"

namespace planetserve::node {

struct PatienceLimits {
    // A place in a short queue, and the first token.
    Duration first_byte = 15s;
    // More for each KiB of request: a processor reads some hundred tokens a second.
    Duration each_kib = 2s;
    // More for each token of an answer that comes in one piece, at its end; and the tokens of a request that names no
    // number.
    Duration each_token = 100ms;
    std::uint64_t usual_tokens = 1000;
    // Without a word from a node that is to say every 5 s that it is at work: it is silent rather than slow.
    Duration silent = 11s;
    // Between two pieces of an answer that has begun, whose reader waits. An engine that has others' long prompts to
    // read first pauses for less.
    Duration next_bytes = 3min;
    // As long as a model node waits for its engine, and a place in its queue.
    Duration longest = 12min;
};

Duration patience_for(const inference::Request& request, const PatienceLimits& limits);

}  // namespace planetserve::node
