#include "bench/tor_network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace planetserve::bench {

namespace fs = std::filesystem;

namespace {

constexpr auto start_deadline = std::chrono::seconds(90);
constexpr const char* relay_names[] = {"relay1", "relay2", "relay3"};

enum Port { authority_or, authority_directory, relay1_or, relay2_or, relay3_or, port_count };

std::uint16_t free_port() {
    int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(probe, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(probe);
    return ntohs(address.sin_port);
}

// Starts a program with its output in a file and an empty line as its input.
pid_t spawn(const std::vector<std::string>& command, const fs::path& output) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    fs::path input = output.parent_path() / "empty-line";
    std::ofstream(input) << '\n';
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, input.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    pid_t pid = 0;
    int failed = ::posix_spawnp(&pid, arguments[0], &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) throw std::runtime_error(command[0] + " is not installed");
    return pid;
}

void run(const std::vector<std::string>& command, const fs::path& output) {
    int status = 0;
    ::waitpid(spawn(command, output), &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) throw std::runtime_error(command[0] + " is not installed");
    if (WEXITSTATUS(status) != 0) throw std::runtime_error(command[0] + " failed; is it Debian's?");
}

std::string read_file(const fs::path& file) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

}  // namespace

TorNetwork::TorNetwork() {
    std::string name = (fs::temp_directory_path() / "planetserve-tor-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    home_ = name;
    for (int i = 0; i < port_count; ++i) ports_.push_back(free_port());
}

TorNetwork::~TorNetwork() {
    if (control_ >= 0) ::close(control_);
    for (pid_t pid : processes_) ::kill(pid, SIGKILL);
    for (pid_t pid : processes_) ::waitpid(pid, nullptr, 0);
    std::error_code ignored;
    fs::remove_all(home_, ignored);
}

std::unique_ptr<TorNetwork> TorNetwork::start(std::string& problem) {
    try {
        std::unique_ptr<TorNetwork> network(new TorNetwork);
        network->make_authority_keys();
        network->start_nodes();
        network->wait_for_circuits();
        return network;
    } catch (const std::exception& error) {
        problem = std::string("no private Tor network: ") + error.what();
        return nullptr;
    }
}

// The authority's identity is part of everyone's configuration, so its keys are made first.
void TorNetwork::make_authority_keys() {
    fs::path keys = home_ / "authority" / "keys";
    fs::create_directories(keys);
    for (const fs::path& folder : {home_ / "authority", keys})
        fs::permissions(folder, fs::perms::owner_all, fs::perm_options::replace);
    std::ofstream(home_ / "empty");
    run({"tor-gencert", "--create-identity-key", "-m", "12", "-a",
         "127.0.0.1:" + std::to_string(ports_[authority_directory]), "-i", keys / "authority_identity_key", "-s",
         keys / "authority_signing_key", "-c", keys / "authority_certificate", "--passphrase-fd", "0"},
        home_ / "gencert.out");
    std::string certificate = read_file(keys / "authority_certificate");
    std::size_t at = certificate.find("\nfingerprint ");
    if (at == std::string::npos) throw std::runtime_error("tor-gencert wrote no certificate");
    std::string identity = certificate.substr(at + 13, 40);
    run({"tor", "--list-fingerprint", "-f", home_ / "empty", "--defaults-torrc", home_ / "empty", "--hush", "--ORPort",
         std::to_string(ports_[authority_or]), "--DataDirectory", home_ / "authority", "--Nickname", "authority",
         "--TestingTorNetwork", "1", "--DirAuthority", "none 127.0.0.1:1 " + std::string(40, 'f')},
        home_ / "fingerprint.out");
    std::istringstream fingerprint(read_file(home_ / "authority" / "fingerprint"));
    std::string nickname, hex;
    fingerprint >> nickname >> hex;
    authority_line_ = "DirAuthority authority orport=" + std::to_string(ports_[authority_or]) +
                      " no-v2 v3ident=" + identity + " 127.0.0.1:" + std::to_string(ports_[authority_directory]) + " " +
                      hex + "\n";
}

pid_t TorNetwork::start_tor(const std::string& name, const std::string& options) {
    fs::path data = home_ / name;
    fs::create_directories(data);
    fs::permissions(data, fs::perms::owner_all, fs::perm_options::replace);
    std::ofstream file(home_ / (name + ".torrc"));
    // The scheduler that sends at once; Tor's usual one waits up to 10 ms at every hop.
    file << "TestingTorNetwork 1\nAssumeReachable 1\nPathsNeededToBuildCircuits 0.25\nAddress 127.0.0.1\nSocksPort 0\n"
         << "Schedulers Vanilla\nNumCPUs 1\nDataDirectory " << data.string() << "\n__OwningControllerProcess "
         << ::getpid() << "\n"
         << authority_line_ << options;
    file.close();
    return spawn({"tor", "-f", home_ / (name + ".torrc"), "--defaults-torrc", home_ / "empty"},
                 home_ / (name + ".out"));
}

void TorNetwork::start_nodes() {
    processes_.push_back(start_tor(
        "authority", "Nickname authority\nORPort " + std::to_string(ports_[authority_or]) + "\nDirPort " +
                         std::to_string(ports_[authority_directory]) +
                         "\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\nContactInfo bench@localhost\n"
                         "ExitPolicy reject *:*\nTestingV3AuthInitialVotingInterval 5\n"
                         "TestingV3AuthInitialVoteDelay 2\nTestingV3AuthInitialDistDelay 2\n"
                         "V3AuthVotingInterval 10\nV3AuthVoteDelay 2\nV3AuthDistDelay 2\nTestingDirAuthVoteExit *\n"
                         "TestingDirAuthVoteGuard *\nTestingDirAuthVoteHSDir *\n"));
    for (int i = 0; i < 3; ++i)
        processes_.push_back(
            start_tor(relay_names[i], std::string("Nickname ") + relay_names[i] + "\nORPort " +
                                          std::to_string(ports_[static_cast<std::size_t>(relay1_or + i)]) +
                                          "\nExitRelay 1\nExitPolicy accept *:*\n"
                                          "ExitPolicyRejectPrivate 0\n"));
    processes_.push_back(start_tor("client", "ControlSocket " + control_socket().string() +
                                                 "\nCookieAuthentication 0\nClientOnly 1\nUseEntryGuards 0\n"
                                                 "__DisablePredictedCircuits 1\nLearnCircuitBuildTimeout 0\n"));
}

void TorNetwork::wait_for_circuits() {
    auto end = std::chrono::steady_clock::now() + start_deadline;
    auto wait_until = [&](auto&& ready, const char* what) {
        while (!ready()) {
            if (std::chrono::steady_clock::now() > end) throw std::runtime_error(std::string(what) + " in 90 s");
            for (pid_t& pid : processes_)
                if (::waitpid(pid, nullptr, WNOHANG) == pid) {
                    pid = processes_.back();
                    processes_.pop_back();
                    throw std::runtime_error("a tor process ended at once");
                }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    };
    wait_until(
        [&] {
            return read_file(home_ / "client.out").find("enough directory info to build circuits") != std::string::npos;
        },
        "no consensus of its relays");
    for (const char* name : relay_names) {
        std::istringstream fingerprint(read_file(home_ / name / "fingerprint"));
        std::string nickname, hex;
        fingerprint >> nickname >> hex;
        relay_fingerprints_.push_back("$" + hex);
    }
    connect_control();
    // The consensus may come before all three descriptors.
    wait_until(
        [&] {
            try {
                (void)build_circuit_ms();
                return true;
            } catch (const std::exception&) {
                return false;
            }
        },
        "no circuit");
}

void TorNetwork::connect_control() {
    control_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    control_socket().string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(control_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("the client's control socket does not answer");
    for (const char* line : {"AUTHENTICATE", "SETEVENTS CIRC"}) {
        command(line);
        if (!read_line(5000).starts_with("250")) throw std::runtime_error(std::string(line) + " was refused");
    }
}

void TorNetwork::command(const std::string& line) {
    std::string text = line + "\r\n";
    if (::send(control_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error("the client's control socket is gone");
}

std::string TorNetwork::read_line(int timeout_ms) {
    for (;;) {
        if (std::size_t end = input_.find("\r\n"); end != std::string::npos) {
            std::string line = input_.substr(0, end);
            input_.erase(0, end + 2);
            return line;
        }
        pollfd wait{control_, POLLIN, 0};
        if (::poll(&wait, 1, timeout_ms) != 1) throw std::runtime_error("tor does not answer");
        char piece[4096];
        ssize_t size = ::recv(control_, piece, sizeof piece, 0);
        if (size <= 0) throw std::runtime_error("the client's control socket is gone");
        input_.append(piece, static_cast<std::size_t>(size));
    }
}

double TorNetwork::build_circuit_ms() {
    auto start = std::chrono::steady_clock::now();
    command("EXTENDCIRCUIT 0 " + relay_fingerprints_[0] + "," + relay_fingerprints_[1] + "," + relay_fingerprints_[2]);
    std::string id;
    for (;;) {
        std::string line = read_line(10'000);
        if (line.starts_with("250 EXTENDED ")) id = line.substr(13);
        if (line.starts_with("5")) throw std::runtime_error("tor: " + line);
        if (id.empty() || !line.starts_with("650 CIRC " + id + " ")) continue;
        if (line.find(" FAILED ") != std::string::npos) throw std::runtime_error("tor: " + line);
        if (line.find(" BUILT ") != std::string::npos) break;
    }
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace planetserve::bench
