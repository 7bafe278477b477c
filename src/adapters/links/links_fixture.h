// For the tests of links: nodes with links on the loopback, and a peer that breaks the rules.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/links/link_manager.h"
#include "crypto/system_random.h"

namespace planetserve::adapters::testing_support {

namespace asio = boost::asio;

struct Node final : LinkEvents {
    Node(asio::io_context& context, std::map<NodeId, Endpoint>& book, LinkOptions options = {},
         std::uint8_t network = 1)
        : identity(crypto::Identity::generate(random)),
          links(
              context, identity, make_hello(network), options, *this,
              [&book](const NodeId& id) {
                  auto found = book.find(id);
                  return found == book.end() ? std::vector<Endpoint>{} : std::vector<Endpoint>{found->second};
              },
              random, clock) {
        address = links.listen({"127.0.0.1", 0}).value();
        book[identity.id()] = address;
    }
    static wire::Hello make_hello(std::uint8_t network) {
        wire::Hello hello;
        hello.network.value[0] = network;
        hello.software = "test";
        return hello;
    }
    NodeId id() const { return identity.id(); }

    void on_link_up(const NodeId& peer, const wire::Hello&) override { up.push_back(peer); }
    void on_link_down(const NodeId& peer, const Error& why) override { down.emplace_back(peer, why.message); }
    void on_frame(const NodeId& from, wire::FrameType, MutableByteView payload) override {
        received[from].push_back(to_bytes(payload));
        bytes += payload.size();
    }
    void on_drained(const NodeId&) override { ++drained; }

    crypto::SystemRandom random;
    SystemClock clock;
    crypto::Identity identity;
    LinkManager links;
    Endpoint address;
    std::vector<NodeId> up;
    std::vector<std::pair<NodeId, std::string>> down;
    std::map<NodeId, std::vector<Bytes>> received;
    std::size_t bytes = 0;
    int drained = 0;
};

// A peer that speaks TLS and frames by hand, so that it can break the rules. Nothing blocks.
struct RawPeer {
    RawPeer(asio::ip::tcp::socket own_socket, const crypto::Identity& identity, LinkSide side)
        : context(make_link_context(identity)), socket(std::move(own_socket)), ssl(SSL_new(context.get())) {
        socket.non_blocking(true);
        SSL_set_fd(ssl, socket.native_handle());
        if (side == LinkSide::dialed)
            SSL_set_connect_state(ssl);
        else
            SSL_set_accept_state(ssl);
    }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;
    ~RawPeer() {
        SSL_free(ssl);
        ERR_clear_error();
    }

    // True when the handshake is over, well or not.
    bool shake() {
        ERR_clear_error();
        int done = SSL_do_handshake(ssl);
        int error = SSL_get_error(ssl, done);
        failed = done != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
        return done == 1 || failed;
    }
    // What the socket took of the bytes.
    bool write(ByteView bytes) {
        std::size_t size = 0;
        ERR_clear_error();
        return SSL_write_ex(ssl, bytes.data(), bytes.size(), &size) == 1;
    }
    bool write(wire::FrameType type, ByteView payload) {
        Bytes frame;
        wire::append_frame_header(frame, type, payload.size());
        append(frame, payload);
        return write(frame);
    }
    bool write_hello(const wire::Hello& hello = Node::make_hello(1)) {
        return write(wire::FrameType::hello, wire::encode(hello));
    }
    // Everything there was to read until now; closed once the other end closed.
    const std::string& read() {
        std::array<char, 4096> piece;
        std::size_t size = 0;
        ERR_clear_error();
        int done = 0;
        while ((done = SSL_read_ex(ssl, piece.data(), piece.size(), &size)) == 1) heard.append(piece.data(), size);
        if (SSL_get_error(ssl, done) != SSL_ERROR_WANT_READ) closed = true;
        return heard;
    }

    // Of the first frame that was read; empty when it is no goodbye.
    std::optional<wire::GoodbyeReason> goodbye() const {
        constexpr auto type = static_cast<char>(wire::FrameType::goodbye);
        if (heard.size() <= wire::frame_header_size || heard[0] != type) return std::nullopt;
        return wire::parse_goodbye(as_bytes(heard).subspan(wire::frame_header_size)).reason;
    }

    SslContext context;
    asio::ip::tcp::socket socket;
    SSL* ssl;
    std::string heard;
    bool failed = false;
    bool closed = false;
};

class Links : public testing::Test {
protected:
    template <typename Condition>
    bool run_until(Condition&& condition, std::chrono::seconds at_most = 10s) {
        auto end = std::chrono::steady_clock::now() + at_most;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            context_.restart();
            context_.run_for(std::chrono::milliseconds(10));
        }
        return condition();
    }
    // A socket that node dialled, or that dials it, for a peer that does as it likes.
    asio::ip::tcp::socket dial_raw(const Node& node, int receive_buffer = 65536, const char* from = "127.0.0.1") {
        asio::ip::tcp::socket socket(context_);
        socket.open(asio::ip::tcp::v4());
        socket.bind({asio::ip::make_address(from), 0});
        socket.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
        socket.connect({asio::ip::make_address("127.0.0.1"), node.address.port});
        return socket;
    }
    // A peer from the address that did its handshake; failed where the node did not want it.
    std::unique_ptr<RawPeer> shaken(const Node& node, const crypto::Identity& identity, const char* from) {
        auto peer = std::make_unique<RawPeer>(dial_raw(node, 65536, from), identity, LinkSide::dialed);
        EXPECT_TRUE(run_until([&] { return peer->shake(); }));
        return peer;
    }
    bool accept_raw(asio::ip::tcp::acceptor& acceptor, asio::ip::tcp::socket& socket) {
        boost::system::error_code error;
        if (!socket.is_open()) acceptor.accept(socket, error);
        return socket.is_open() && !error;
    }
    Bytes call(std::size_t size, std::uint8_t fill = 0) { return Bytes(std::max<std::size_t>(size, 8), fill); }

    asio::io_context context_{1};
    std::map<NodeId, Endpoint> book_;
};

}  // namespace planetserve::adapters::testing_support
