// A network of real node processes on this machine, with delay lines for the distances between them: a verification
// node, user nodes that stay and relay, one model node, and users who come and go.
//
// Used on the context's thread. All processes end with this object.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "eval/kit/live/local_server.h"
#include "eval/wide_area/delay_lines.h"
#include "eval/wide_area/geography.h"

namespace planetserve::eval {

struct LiveNetworkOptions {
    std::string program;  // planetserve's
    std::filesystem::path folder;
    std::vector<Place> relays;
    Place model;
    Place verifier;
    std::size_t hops = 3;
    std::chrono::seconds path_lifetime{60};
    std::string engine;  // base URL of what serves `model_name`
    std::string model_name;
};

struct LivePath {
    std::uint64_t number = 0;
    bool up = false;
    std::vector<std::size_t> nodes;  // the user, then its relays; empty when one of them is no node of ours
    Duration setup{};
};

struct LiveUserStatus {
    bool ready = false;  // could ask now
    std::string reason;  // why not
    std::vector<LivePath> paths;
};

class LiveNetwork {
public:
    // Returns when all nodes run. The error names the one that does not, with the end of its log.
    static Result<std::unique_ptr<LiveNetwork>> start(boost::asio::io_context& context, LiveNetworkOptions options);

    // Nodes have numbers: those that relay first, as in the options, then the model node, the verification node, and
    // each user that comes.
    std::size_t relays() const { return options_.relays.size(); }
    std::size_t model() const { return relays(); }
    const Place& place(std::size_t node) const { return places_.at(node); }
    const DelayLines& lines() const { return *lines_; }
    std::vector<pid_t> processes() const;

    Result<LiveUserStatus> status(std::size_t user) const;
    const std::string& api(std::size_t user) const { return nodes_.at(user).server->base_url(); }

    // Ends the model node's process, and so its links, and starts it again. Its entry in the registry stays meanwhile.
    Status restart_model();
    // A new user at the place; it relays as well, until it leaves in good order.
    Result<std::size_t> visit(const Place& place);
    void leave(std::size_t user);

private:
    struct Node {
        std::string role;
        std::filesystem::path home;
        std::uint16_t port = 0;  // where it listens
        Endpoint address;        // where others think it does
        std::uint16_t api = 0;
        std::unique_ptr<LocalServer> server = nullptr;
    };

    LiveNetwork(boost::asio::io_context& context, LiveNetworkOptions options);
    Status start_all();
    // Gives a node ports, an address, keys.
    Result<std::size_t> add(const std::string& role, const Place& place);
    // One that no other node of ours will listen at.
    Result<std::uint16_t> new_port(Random& random);
    Status found(std::size_t verifier) const;
    Status run(std::size_t node);
    std::string config_of(const Node& node) const;

    boost::asio::io_context& context_;
    const LiveNetworkOptions options_;
    mutable std::mutex places_mutex_;  // the lines' thread reads them
    std::vector<Place> places_;
    std::vector<Node> nodes_;
    std::map<NodeId, std::size_t> numbers_;
    std::set<std::uint16_t> ports_;      // of all nodes, of which not all listen yet
    std::unique_ptr<DelayLines> lines_;  // ends before what it reads
};

}  // namespace planetserve::eval
