// A home's part in a network that others founded: `join`, `leave` and `invite`.
//
// The home is a network home whose genesis came from an invite, with a user node, and a model node where it serves. So
// what works for a network of this machine works for it: status, doctor, chat, down.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/endpoint.h"
#include "base/result.h"
#include "local/network_home.h"
#include "local/steps.h"

namespace planetserve::local {

// What is left out stays as it was when the home joined.
struct JoinOptions {
    std::filesystem::path home;
    std::string invite;  // empty: the network that the home is in already
    std::optional<std::string> serve;
    // Where others reach this machine. The user node relays at its port, a model node is at the next one.
    std::optional<std::string> advertise;
    std::optional<std::string> operator_name;
    std::optional<std::uint16_t> port;   // of the API
    std::optional<std::size_t> threads;  // of the engine
};

struct Joined {
    NetworkFile network;
    bool relays = false;  // without an address for others: in a network that is on this machine as a whole
};

// Starts the home's nodes, and returns when one answer has come. Fails before it writes anything where the invite is
// wrong, nobody hands out the genesis, the clock is off, or the home is of another network.
Result<Joined> join(const JoinOptions& options, Steps& steps);

// Stops the home's nodes, which take themselves off the list, and forgets the network. The keys of the nodes stay.
Status leave(const NetworkHome& home, Steps& steps);

struct InviteText {
    std::string text;
    bool only_this_machine = false;  // the contacts have loopback addresses
};
// An invite to the network with that genesis.
Result<InviteText> invite(const std::filesystem::path& genesis);

}  // namespace planetserve::local
