#include "adapters/llama/http_connection.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>

namespace planetserve::adapters {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

Time steady_now() { return SystemClock().now(); }

asio::mutable_buffer buffer(MutableByteView bytes) { return {bytes.data(), bytes.size()}; }
asio::const_buffer buffer(ByteView bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

HttpConnection::HttpConnection(asio::io_context& context, const HttpTarget& target, asio::ssl::context* tls)
    : target_(target), socket_(context), resolver_(context) {
    if (tls) tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, *tls);
}

void HttpConnection::connect(std::function<void(error_code, std::string)> handler) {
    if (target_.kind == HttpTarget::Kind::unix_socket) return connect_unix(std::move(handler));
    resolver_.async_resolve(target_.host, target_.port,
                            [self = shared_from_this(), handler = std::move(handler)](
                                error_code error, tcp::resolver::results_type results) mutable {
                                if (self->closed_) return;
                                if (error) return handler(error, "resolving " + self->target_.host);
                                auto found = std::make_shared<tcp::resolver::results_type>(std::move(results));
                                auto first = found->begin();
                                self->connect_tcp(std::move(found), first, std::move(handler));
                            });
}

void HttpConnection::connect_unix(std::function<void(error_code, std::string)> handler) {
    asio::local::stream_protocol::endpoint endpoint(target_.host);
    socket_.async_connect(endpoint, [self = shared_from_this(), handler = std::move(handler)](error_code error) {
        if (!self->closed_) handler(error, "connecting to the server's socket");
    });
}

void HttpConnection::connect_tcp(std::shared_ptr<tcp::resolver::results_type> found,
                                 tcp::resolver::results_type::const_iterator next,
                                 std::function<void(error_code, std::string)> handler) {
    error_code ignored;
    socket_.close(ignored);
    tcp::endpoint endpoint = next->endpoint();
    socket_.async_connect(endpoint, [self = shared_from_this(), found = std::move(found), next,
                                     handler = std::move(handler)](error_code error) mutable {
        if (self->closed_) return;
        if (error && ++next != found->end()) return self->connect_tcp(std::move(found), next, std::move(handler));
        if (error) return handler(error, "connecting to " + self->target_.authority());
        error_code unused;
        self->socket_.set_option(tcp::no_delay(true), unused);
        if (self->tls_) return self->shake_hands(std::move(handler));
        handler(error, {});
    });
}

void HttpConnection::shake_hands(std::function<void(error_code, std::string)> handler) {
    const std::string& host = target_.host;
    error_code ignored;
    asio::ip::make_address(host, ignored);
    if (ignored)  // names only (RFC 6066, section 3); what SSL_set_tlsext_host_name does, without its C cast
        SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(host.c_str()));
    tls_->set_verify_mode(asio::ssl::verify_peer, ignored);
    tls_->set_verify_callback(asio::ssl::host_name_verification(host), ignored);
    tls_->async_handshake(asio::ssl::stream_base::client,
                          [self = shared_from_this(), handler = std::move(handler)](error_code error) {
                              if (!self->closed_) handler(error, "TLS handshake with " + self->target_.authority());
                          });
}

void HttpConnection::read_some(MutableByteView into, Handler handler) {
    auto done = [self = shared_from_this(), handler = std::move(handler)](error_code error, std::size_t size) {
        if (!self->closed_) handler(error, size);
    };
    if (tls_)
        tls_->async_read_some(buffer(into), std::move(done));
    else
        socket_.async_read_some(buffer(into), std::move(done));
}

void HttpConnection::write(ByteView bytes, Handler handler) {
    auto done = [self = shared_from_this(), handler = std::move(handler)](error_code error, std::size_t size) {
        if (!self->closed_) handler(error, size);
    };
    if (tls_)
        asio::async_write(*tls_, buffer(bytes), std::move(done));
    else
        asio::async_write(socket_, buffer(bytes), std::move(done));
}

void HttpConnection::close() {
    closed_ = true;
    resolver_.cancel();
    error_code ignored;
    socket_.close(ignored);
}

bool HttpConnection::seems_alive() {
    if (closed_ || !socket_.is_open()) return false;
    char byte;
    ssize_t size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size > 0) return tls_ != nullptr;  // over TLS it may be a session ticket
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

HttpPool::HttpPool(asio::io_context& io, HttpEngineOptions given) : context(io), options(std::move(given)) {
    if (options.target.kind != HttpTarget::Kind::https) return;
    tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    error_code error;
    if (options.authorities_file) {
        tls_->load_verify_file(*options.authorities_file, error);
        if (error)
            throw std::invalid_argument("authorities file " + *options.authorities_file + ": " + error.message());
    } else {
        tls_->set_default_verify_paths();
    }
    SSL_CTX_set_min_proto_version(tls_->native_handle(), TLS1_2_VERSION);
}

std::shared_ptr<HttpConnection> HttpPool::take_kept() {
    while (!kept_.empty()) {
        auto connection = std::move(kept_.back());
        kept_.pop_back();
        if (steady_now() - connection->idle_since < options.idle_limit && connection->seems_alive()) return connection;
        connection->close();
    }
    return nullptr;
}

std::shared_ptr<HttpConnection> HttpPool::make() {
    return std::make_shared<HttpConnection>(context, options.target, tls_.get());
}

void HttpPool::keep(std::shared_ptr<HttpConnection> connection) {
    Time now = steady_now();
    while (!kept_.empty() &&
           (kept_.size() >= options.idle_connections || now - kept_.front()->idle_since >= options.idle_limit)) {
        kept_.front()->close();
        kept_.pop_front();
    }
    if (closed_ || options.idle_connections == 0) return connection->close();
    connection->idle_since = now;
    kept_.push_back(std::move(connection));
}

void HttpPool::close_kept() {
    closed_ = true;
    for (auto& connection : kept_) connection->close();
    kept_.clear();
}

}  // namespace planetserve::adapters
