#include "bench/loopback_network.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <stdexcept>

#include "bench/loopback_nodes.h"

namespace planetserve::bench {

namespace {

void write_all(int file, ByteView bytes) {
    while (!bytes.empty()) {
        ssize_t done = ::write(file, bytes.data(), bytes.size());
        if (done <= 0) throw std::runtime_error("a process of the benchmark's network is gone");
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

Bytes read_all(int file, std::size_t size) {
    Bytes bytes(size);
    for (std::size_t at = 0; at < size;) {
        ssize_t done = ::read(file, bytes.data() + at, size - at);
        if (done <= 0) throw std::runtime_error("a process of the benchmark's network is gone");
        at += static_cast<std::size_t>(done);
    }
    return bytes;
}

// A node's place as it crosses a pipe: id, onion key, port.
constexpr std::size_t place_size = 32 + 32 + 2;

Bytes encode(const NodePlace& place) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.bytes(place.id.bytes());
    writer.bytes(place.onion_key.bytes());
    writer.u16(place.endpoint.port);
    return bytes;
}

NodePlace decode(ByteView bytes) {
    ByteReader reader(bytes);
    NodePlace place;
    place.id = NodeId{reader.array<32>()};
    place.onion_key = crypto::AgreementPublicKey{reader.array<32>()};
    place.endpoint = {"127.0.0.1", reader.u16()};
    return place;
}

// What a forked process does: says where it listens, learns where everyone does, and runs until it is killed.
[[noreturn]] void run_child(NodeKind kind, std::size_t places, int from_parent, int to_parent) {
    try {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        LoopbackNode node(kind);
        write_all(to_parent, encode(node.place()));
        Bytes all = read_all(from_parent, places * place_size);
        std::vector<NodePlace> book;
        for (std::size_t i = 0; i < places; ++i) book.push_back(decode(ByteView(all).subspan(i * place_size)));
        node.run(book);
    } catch (const std::exception& error) {
        std::cerr << "benchmark's node: " << error.what() << '\n';
    }
    ::_exit(1);
}

}  // namespace

double process_cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double cpu_per_100_mb(const std::vector<Use>& before, const std::vector<Use>& after) {
    double cpu = 0;
    double bytes = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        cpu += after[i].cpu_seconds - before[i].cpu_seconds;
        bytes += after[i].bytes_sent - before[i].bytes_sent;
    }
    return cpu / (bytes / 1e8);
}

void Pourer::start(std::uint64_t total, std::size_t piece) {
    piece_.assign(piece, 0x5a);
    left_ = total;
    sent_ = taken_ = 0;
}

void Pourer::pour(wire::FrameSender& sender, const NodeId& to) {
    constexpr std::uint64_t window = 1 << 20;
    while (left_ > 0 && sent_ - taken_ < window) {
        std::uint64_t size = std::max<std::uint64_t>(8, std::min<std::uint64_t>(left_, piece_.size()));
        if (!sender.send(to, wire::FrameType::call_response, {ByteView(piece_).first(size)})) return;
        left_ -= std::min(left_, size);
        sent_ += size;
    }
}

LoopbackNetwork::LoopbackNetwork(std::size_t relays) {
    const std::size_t places = relays + 2;
    for (std::size_t i = 0; i < places; ++i) {
        int down[2];
        int up[2];
        if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) throw std::runtime_error("no pipes");
        pid_t pid = ::fork();
        if (pid < 0) throw std::runtime_error("cannot start a process");
        NodeKind kind = i < relays ? NodeKind::relay : i == relays ? NodeKind::model : NodeKind::forwarder;
        if (pid == 0) run_child(kind, places, down[0], up[1]);
        ::close(down[0]);
        ::close(up[1]);
        children_.push_back({pid, down[1], up[0]});
    }
    Bytes book;
    for (const Child& child : children_) append(book, read_all(child.from, place_size));
    for (const Child& child : children_) write_all(child.to, book);
    for (std::size_t i = 0; i < places; ++i) {
        NodePlace place = decode(ByteView(book).subspan(i * place_size, place_size));
        if (i < relays)
            relays_.push_back(place);
        else
            (i == relays ? model_ : forwarder_) = place;
    }
}

LoopbackNetwork::~LoopbackNetwork() {
    for (const Child& child : children_) {
        ::kill(child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
        ::close(child.to);
        ::close(child.from);
    }
}

std::vector<Endpoint> LoopbackNetwork::find(const NodeId& id) const {
    for (const NodePlace& place : relays_)
        if (place.id == id) return {place.endpoint};
    if (id == model_.id) return {model_.endpoint};
    if (id == forwarder_.id) return {forwarder_.endpoint};
    return {};
}

LocalNode::LocalNode(const LoopbackNetwork& network) : identity_(crypto::Identity::generate(random_)) {
    links_ = std::make_unique<adapters::LinkManager>(
        context_, identity_, loopback_hello(wire::Role::user), adapters::LinkOptions{},
        static_cast<adapters::LinkEvents&>(*this), [&network](const NodeId& id) { return network.find(id); }, random_,
        clock_);
    arm();
}

LocalNode::~LocalNode() = default;

void LocalNode::arm() {
    timer_.expires_after(std::chrono::milliseconds(20));
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        if (tick_) tick_();
        arm();
    });
}

void LocalNode::run_until(const std::function<bool()>& condition, const char* what, std::chrono::seconds deadline) {
    auto end = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
        context_.restart();
        context_.run_one_for(std::chrono::milliseconds(100));
        if (std::chrono::steady_clock::now() > end) throw std::runtime_error(std::string("waited in vain for ") + what);
    }
}

void LocalNode::on_link_down(const NodeId& peer, const Error& why) {
    std::cerr << "link to " << peer.brief() << " is down: " << why.message << '\n';
}

void LocalNode::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    if (type == wire::FrameType::call_response) {
        if (on_answer_) on_answer_(from, payload);
    } else if (handler_) {
        handler_(from, type, payload);
    }
}

Bytes LocalNode::call(const NodeId& to, Call call, ByteView content, const char* what) {
    std::optional<Bytes> answer;
    on_answer_ = [&](const NodeId& from, ByteView payload) {
        if (from == to) answer = to_bytes(payload.subspan(8));
    };
    std::array<std::uint8_t, 9> head{};
    head[8] = static_cast<std::uint8_t>(call);
    if (auto sent = links_->send(to, wire::FrameType::call_request, {head, content}); !sent)
        throw std::runtime_error(std::string(what) + ": " + sent.error().message);
    run_until([&] { return answer.has_value(); }, what);
    on_answer_ = nullptr;
    return *answer;
}

Use LocalNode::use(const NodeId& of) {
    Bytes answer = call(of, Call::use, {}, "a node's use of the machine");
    ByteReader reader(answer);
    double nanoseconds = static_cast<double>(reader.u64());
    return {nanoseconds * 1e-9, static_cast<double>(reader.u64())};
}

std::vector<Use> LocalNode::use(const std::vector<NodePlace>& of) {
    std::vector<Use> all;
    for (const NodePlace& place : of) all.push_back(use(place.id));
    return all;
}

double LocalNode::pour(const NodeId& from, std::uint64_t bytes, std::size_t piece) {
    constexpr std::uint64_t tell_after = 256 * 1024;
    std::uint64_t arrived = 0;
    std::uint64_t untold = 0;
    auto request = [&](Call call, ByteView content) {
        std::array<std::uint8_t, 9> head{};
        head[8] = static_cast<std::uint8_t>(call);
        (void)links_->send(from, wire::FrameType::call_request, {head, content});
    };
    on_answer_ = [&](const NodeId&, ByteView payload) {
        arrived += payload.size();
        untold += payload.size();
        if (untold < tell_after) return;
        Bytes taken;
        ByteWriter(taken).u64(untold);
        untold = 0;
        request(Call::taken, taken);
    };
    Bytes order;
    ByteWriter writer(order);
    writer.u64(bytes);
    writer.u32(static_cast<std::uint32_t>(piece));
    auto start = std::chrono::steady_clock::now();
    request(Call::pour, order);
    run_until([&] { return arrived >= bytes; }, "bytes over a link", std::chrono::seconds(120));
    on_answer_ = nullptr;
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace planetserve::bench
