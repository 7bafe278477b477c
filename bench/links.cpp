// Links (src/adapters/links) beside plain TCP: the bytes of full cells, from one process to another over the loopback.
//
// link            MB/s of frames of a cell's size, over TCP with TLS 1.3; reference: the same bytes over plain TCP
// send-cpu        seconds of CPU that the sending process spends for 100 MB (10^8 bytes); reference: over plain TCP
// receive-cpu     the same of the receiving process
// round-trip/1KiB milliseconds until 1 KiB came back; reference: over plain TCP
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "bench/loopback_network.h"
#include "bench/report.h"
#include "wire/path_sizes.h"

namespace {

using namespace planetserve;

constexpr std::uint64_t bytes = 128 << 20;
constexpr std::size_t cell_payload = wire::cell_size + PathId::size;
constexpr std::size_t piece = 64 * 1024;
constexpr int rounds = 5;

double median(std::vector<double> samples) {
    std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2), samples.end());
    return samples[samples.size() / 2];
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("plain TCP: ") + what);
}

void transfer(int socket, Bytes& buffer, std::uint64_t size, bool out) {
    while (size > 0) {
        std::size_t most = std::min<std::uint64_t>(size, buffer.size());
        ssize_t done = out ? ::send(socket, buffer.data(), most, MSG_NOSIGNAL) : ::recv(socket, buffer.data(), most, 0);
        require(done > 0, "the connection is gone");
        size -= static_cast<std::uint64_t>(done);
    }
}

// The reference's other end, a process: for each order of 8 bytes it sends as many, then its CPU time; an order of 0
// has 1 KiB sent back.
class PlainTcp {
public:
    PlainTcp() {
        int listener = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* raw = reinterpret_cast<sockaddr*>(&address);
        require(::bind(listener, raw, size) == 0 && ::listen(listener, 1) == 0, "cannot listen");
        ::getsockname(listener, raw, &size);
        pid_t pid = ::fork();
        require(pid >= 0, "cannot start a process");
        if (pid == 0) serve(::accept(listener, nullptr, nullptr));
        ::close(listener);
        socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
        require(::connect(socket_, raw, size) == 0, "cannot connect");
        set_no_delay(socket_);
    }
    ~PlainTcp() { ::close(socket_); }
    PlainTcp(const PlainTcp&) = delete;
    PlainTcp& operator=(const PlainTcp&) = delete;

    // The other end's seconds of CPU until then.
    double receive(std::uint64_t size) {
        order(size);
        transfer(socket_, buffer_, size, false);
        Bytes cpu(8);
        transfer(socket_, cpu, 8, false);
        return static_cast<double>(load_big_endian<std::uint64_t>(cpu)) * 1e-9;
    }
    void round_trip() {
        order(0);
        transfer(socket_, small_, small_.size(), true);
        transfer(socket_, small_, small_.size(), false);
    }

private:
    static void set_no_delay(int socket) {
        int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    void order(std::uint64_t size) {
        Bytes order(8);
        store_big_endian(MutableByteView(order), size);
        transfer(socket_, order, 8, true);
    }
    [[noreturn]] static void serve(int socket) {
        try {
            set_no_delay(socket);
            Bytes order(8), buffer(piece), small(1024);
            for (;;) {
                transfer(socket, order, 8, false);
                auto size = load_big_endian<std::uint64_t>(order);
                if (size == 0) {
                    transfer(socket, small, small.size(), false);
                    transfer(socket, small, small.size(), true);
                    continue;
                }
                transfer(socket, buffer, size, true);
                store_big_endian(MutableByteView(order),
                                 static_cast<std::uint64_t>(bench::process_cpu_seconds() * 1e9));
                transfer(socket, order, 8, true);
            }
        } catch (const std::exception&) {  // the benchmark is over
        }
        ::_exit(0);
    }

    int socket_ = -1;
    Bytes buffer_ = Bytes(piece);
    Bytes small_ = Bytes(1024);
};

struct Samples {
    std::vector<double> rate, send_cpu, receive_cpu, round_trip;
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bench_links", argc, argv);
    bench::LoopbackNetwork network(0);
    PlainTcp plain;
    bench::LocalNode node(network);
    const NodeId& model = network.model().id;
    const double hundreds = static_cast<double>(bytes) / 1e8;

    Samples link, tcp;
    double sent_before = plain.receive(piece);
    (void)node.use(model);
    for (int round = 0; round < rounds; ++round) {
        bench::Use before = node.use(model);
        double own = bench::process_cpu_seconds();
        link.rate.push_back(static_cast<double>(bytes) / 1e6 / node.pour(model, bytes, cell_payload));
        link.receive_cpu.push_back((bench::process_cpu_seconds() - own) / hundreds);
        link.send_cpu.push_back((node.use(model).cpu_seconds - before.cpu_seconds) / hundreds);

        own = bench::process_cpu_seconds();
        double start = now();
        double sent = plain.receive(bytes);
        tcp.rate.push_back(static_cast<double>(bytes) / 1e6 / (now() - start));
        tcp.receive_cpu.push_back((bench::process_cpu_seconds() - own) / hundreds);
        tcp.send_cpu.push_back((sent - sent_before) / hundreds);
        sent_before = sent;
    }
    Bytes small(1024);
    for (int i = 0; i < 2000; ++i) {
        double start = now();
        node.call(model, bench::Call::echo, small, "an echo");
        link.round_trip.push_back((now() - start) * 1e3);
        start = now();
        plain.round_trip();
        tcp.round_trip.push_back((now() - start) * 1e3);
    }
    report.add("link", median(link.rate), "MB/s", median(tcp.rate));
    report.add("send-cpu", median(link.send_cpu), "s/100MB", median(tcp.send_cpu));
    report.add("receive-cpu", median(link.receive_cpu), "s/100MB", median(tcp.receive_cpu));
    report.add("round-trip/1KiB", median(link.round_trip), "ms", median(tcp.round_trip));
    return report.finish();
}
