// What stands for the distances between nodes of one machine: each node has an address here, and what goes over a
// connection to it takes as long, each way, as it is away from the node that dialled.
//
//     DelayLines lines([](std::size_t one, std::size_t other) { return round_trip(places[one], places[other]); });
//     auto address = lines.open(3, {"127.0.0.1", 7001});   // node 3 listens at 7001, and tells others `address`
//     lines.process_of(3, pid);                            // what it dials is known by the process that does so
//
// Who dials is looked up in /proc (connection_owner.h), so that every pair has a distance of its own and the nodes need
// not know of any of this. Bytes keep their order and are passed on by half a round trip after they came, however many
// are under way: there is no limit of bandwidth, no loss and no jitter. A proxy cannot put off TCP's handshake, so what
// the dialler sends first waits for the round trip that the handshake would have taken.
//
// Has a thread of its own; all functions may be called from any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "base/time.h"

namespace planetserve::eval {

class DelayLines {
public:
    using RoundTrip = std::function<Duration(std::size_t one, std::size_t other)>;

    // The function is called on the own thread.
    explicit DelayLines(RoundTrip round_trip);
    // Closes all connections.
    ~DelayLines();
    DelayLines(const DelayLines&) = delete;
    DelayLines& operator=(const DelayLines&) = delete;

    // The address to tell others of a node that listens at the target, on 127.0.0.1.
    Result<Endpoint> open(std::size_t node, const Endpoint& target);
    // Which process a node is; another one once it was started anew. A connection whose dialler is not known within two
    // seconds is closed.
    void process_of(std::size_t node, pid_t process);

    // When the oldest of the connections between the two that are open was dialled, by either.
    std::optional<Time> connected_since(std::size_t one, std::size_t other) const;
    // Milliseconds that bytes were passed on later than they were due.
    std::vector<double> lateness() const;

private:
    class Line;
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace planetserve::eval
