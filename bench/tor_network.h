// A private Tor network on the loopback, from Debian's tor: a directory authority, three relays, and a client whose
// circuits are built on request over its control socket (a unix socket: on a TCP port, Nagle's algorithm would keep the
// events back for 40 ms).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace planetserve::bench {

class TorNetwork {
public:
    // Starts the network and waits until the client can build circuits, which takes about half a minute. Null, with the
    // reason, when tor is not installed or the network does not come up.
    static std::unique_ptr<TorNetwork> start(std::string& problem);
    ~TorNetwork();

    // Builds a circuit over the three relays; the milliseconds from the request to the word that it is built. Throws
    // std::runtime_error when it cannot be built. Circuits stay, since a tear-down just before may keep the next
    // request waiting for its acknowledgement.
    double build_circuit_ms();

private:
    TorNetwork();
    void make_authority_keys();
    void start_nodes();
    void wait_for_circuits();
    std::filesystem::path control_socket() const { return home_ / "control"; }
    void connect_control();
    void command(const std::string& line);
    std::string read_line(int timeout_ms);
    pid_t start_tor(const std::string& name, const std::string& options);

    std::filesystem::path home_;
    std::vector<pid_t> processes_;
    std::string authority_line_;
    std::vector<std::string> relay_fingerprints_;
    std::vector<std::uint16_t> ports_;
    int control_ = -1;
    std::string input_;
};

}  // namespace planetserve::bench
