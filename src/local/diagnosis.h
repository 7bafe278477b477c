// What is wrong with a network of this machine, end to end, and what to do about it.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "local/network_home.h"

namespace planetserve::local {

struct Finding {
    enum class Kind : std::uint8_t { good, bad };
    Kind kind;
    std::string what;
    std::string advice;  // what to do; only of a bad one
};
using OnFinding = std::function<void(const Finding&)>;
using VotingPowers = std::map<std::string, std::uint64_t>;  // by the verification node's name

// By the model node's name: the models that its configuration has.
using ConfiguredModels = std::map<std::string, std::vector<std::string>>;

// What starts the nodes of a home: "planetserve up --home ...", or join.
std::string start_command(const NetworkHome& home);
// Asks the first model that is served for a few tokens.
Finding probe_answer(const NetworkHome& home);

// Probes the network: its processes, the committee, the directory, the paths, whether what runs is listed, an answer of
// each model, and one of each model node of the home. Tells each finding as it is made, since an answer may take a
// minute. Returns how many are bad.
Result<std::size_t> diagnose(const NetworkHome& home, const OnFinding& on_finding);

// The parts of a diagnosis that an overview is enough for (overview.h).
void check_processes(const NetworkHome& home, const boost::json::object& overview, const OnFinding& on_finding);
// Whether the verification nodes agree on blocks. A node without a power here has 1.
void check_committee(const NetworkHome& home, VotingPowers powers, const boost::json::object& overview,
                     const OnFinding& on_finding);
void check_directory(const boost::json::object& overview, const OnFinding& on_finding);
// Whether the list shows each model node of the home that runs, with each model that it is to serve.
void check_listing(const NetworkHome& home, const ConfiguredModels& configured, const boost::json::object& overview,
                   const OnFinding& on_finding);
void check_paths(const boost::json::object& overview, const OnFinding& on_finding);

}  // namespace planetserve::local
