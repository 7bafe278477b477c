// The overlay spread over regions, in virtual time and of the nodes' own classes: users who build paths and ask, users
// who relay, model nodes whose engines answer after a fixed time.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "eval/wide_area/geography.h"

namespace planetserve::eval {

struct OverlayShape {
    std::vector<Place> relays;
    std::vector<Place> models;
    Duration engine{};      // until an engine's first token
    std::size_t hops = 3;   // relays a path
    std::size_t paths = 4;  // of a user
};

// A path that came up, and what its set-up would have taken hop by hop.
struct PathSample {
    Duration setup{};
    std::vector<Duration> links;  // round trips: user to first relay, first to second, ...
};

struct UserSample {
    std::vector<PathSample> paths;
    std::size_t failed_paths = 0;      // of those begun first, not up in time
    std::optional<Duration> first;     // to the first token of the first request; absent: it failed
    std::optional<Duration> later;     // of another one, over the same paths, when all links are up
    Duration direct{};                 // the round trip from the user to the node that served last
    std::vector<Duration> candidates;  // to every model node
};

// Which links are up when a user comes: none, those between relays, or all.
enum class LinksUp { none, between_relays, all };

class WideOverlay {
public:
    WideOverlay(const OverlayShape& shape, std::uint64_t seed);
    ~WideOverlay();

    // A user who comes at this place, builds its paths, asks twice, and goes. If it is itself one of the relays, its
    // paths are of the others.
    UserSample visit(const Place& place, LinksUp links, std::optional<std::size_t> own_relay = std::nullopt);

private:
    struct Nodes;
    std::unique_ptr<Nodes> nodes_;
};

// Set-up by telescoping, for the same relays: the path is extended by one relay after the other, each time by a round
// trip over the whole of it, and each extension waits for a link where it is new. A formula; no node does this.
Duration telescoping(const std::vector<Duration>& links, bool links_up);

}  // namespace planetserve::eval
