// Answers the calls of nodes to a verification node (docs/protocols/registry.md). Pure; a call in, an answer out.
#pragma once

#include "committee/embedded_engine.h"

namespace planetserve::committee {

class DirectoryServer {
public:
    explicit DirectoryServer(EmbeddedEngine& engine) : engine_(engine) {}

    // The payload of a call_request frame: call id (8), Call. Returns that of the call_response; nothing for what is no
    // call.
    std::optional<Bytes> on_call(ByteView payload, UnixTime now);

    std::uint64_t calls() const { return calls_; }
    std::uint64_t refused() const { return refused_; }

private:
    EmbeddedEngine& engine_;
    std::uint64_t calls_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace planetserve::committee
