#include "adapters/cometbft/abci_server.h"

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <set>

#include "adapters/process/program_files.h"
#include "consensus/abci.pb.h"
#include "consensus/abci_frames.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::local::stream_protocol::socket;

namespace {

// CometBFT opens four.
constexpr std::size_t maximum_connections = 8;
// Bytes. A proposal has at most 1 MiB of transactions, a chunk of a snapshot 1 MiB.
constexpr std::size_t maximum_request = 8 << 20;
// Bytes. Reading from a connection pauses while this many wait to be written to it.
constexpr std::size_t maximum_unwritten = 4 << 20;
// After an error of accept(), as when descriptors are scarce.
constexpr auto accept_pause = std::chrono::milliseconds(100);

class Connection;

}  // namespace

struct AbciServer::Shared : std::enable_shared_from_this<AbciServer::Shared> {
    Shared(asio::io_context& io, Handler handle, OnFailure failure)
        : context(io), acceptor(io), pause(io), handler(std::move(handle)), on_failure(std::move(failure)) {}

    void fail_with(const Error& error) {
        if (closed || std::exchange(failed, true)) return;
        asio::post(context, [self = shared_from_this(), error] {
            if (!self->closed) self->on_failure(error);
        });
    }

    asio::io_context& context;
    asio::local::stream_protocol::acceptor acceptor;
    asio::steady_timer pause;
    Handler handler;
    OnFailure on_failure;
    std::filesystem::path path;
    std::set<std::shared_ptr<Connection>> connections;
    bool closed = false;
    bool failed = false;
};

namespace {

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<AbciServer::Shared> shared, Socket socket)
        : shared_(std::move(shared)), socket_(std::move(socket)), frames_(maximum_request) {}

    void read() {
        if (std::exchange(reading_, true)) return;
        socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](error_code error, std::size_t got) {
            self->reading_ = false;
            if (error) return self->end();
            self->frames_.append(ByteView(self->chunk_).first(got));
            self->answer();
        });
    }

    void close() {
        error_code ignored;
        socket_.close(ignored);
    }

private:
    void end() {
        close();
        if (!shared_->closed) shared_->connections.erase(shared_from_this());
    }

    void answer() {
        while (!shared_->closed && !shared_->failed) {
            auto frame = frames_.next();
            if (!frame) return refuse(frame.error());
            if (!*frame) break;
            abci::Request request;
            if (!request.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())))
                return refuse({ErrorCode::malformed, "a request that does not parse"});
            auto response = shared_->handler(request);
            if (!response) return refuse(response.error());
            put(*response);
        }
        write();
        if (waiting_.size() < maximum_unwritten && !shared_->failed) read();
    }

    void put(const abci::Response& response) {
        Bytes message(response.ByteSizeLong());
        response.SerializeToArray(message.data(), static_cast<int>(message.size()));
        consensus::append_abci_frame(waiting_, message);
    }

    void refuse(const Error& error) {
        abci::Response response;
        response.mutable_exception()->set_error(error.message);
        put(response);
        write();
        shared_->fail_with(error);
    }

    // Writes answers at once: CometBFT asks for a flush after each request that it waits for.
    void write() {
        if (waiting_.empty() || !writing_.empty()) return;
        writing_.swap(waiting_);
        asio::async_write(socket_, asio::buffer(writing_), [self = shared_from_this()](error_code error, std::size_t) {
            self->writing_.clear();
            if (error) return self->end();
            self->write();
            self->read();
        });
    }

    std::shared_ptr<AbciServer::Shared> shared_;
    Socket socket_;
    consensus::AbciFrames frames_;
    std::array<std::uint8_t, 64 * 1024> chunk_{};
    Bytes waiting_, writing_;
    bool reading_ = false;
};

}  // namespace

AbciServer::AbciServer(asio::io_context& context, Handler handler, OnFailure on_failure)
    : shared_(std::make_shared<Shared>(context, std::move(handler), std::move(on_failure))) {}

AbciServer::~AbciServer() {
    shared_->closed = true;
    error_code ignored;
    shared_->acceptor.close(ignored);
    shared_->pause.cancel();
    for (const auto& connection : std::exchange(shared_->connections, {})) connection->close();
    std::error_code none;
    if (!shared_->path.empty()) std::filesystem::remove(shared_->path, none);
}

Status AbciServer::listen(const std::filesystem::path& socket) {
    if (!fits_socket(socket)) return fail(ErrorCode::invalid_argument, socket.string() + " is too long for a socket");
    std::error_code none;
    std::filesystem::remove(socket, none);
    error_code error;
    asio::local::stream_protocol::endpoint endpoint(socket.string());
    auto& acceptor = shared_->acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return fail(ErrorCode::io, "cannot listen on " + socket.string() + ": " + error.message());
    shared_->path = socket;
    accept();
    return {};
}

void AbciServer::accept() {
    shared_->acceptor.async_accept([this, shared = shared_](error_code error, Socket socket) {
        if (shared->closed) return;
        if (error) {
            shared->pause.expires_after(accept_pause);
            return shared->pause.async_wait([this, shared](error_code) {
                if (!shared->closed) accept();
            });
        }
        if (shared->connections.size() < maximum_connections) {
            auto connection = std::make_shared<Connection>(shared, std::move(socket));
            shared->connections.insert(connection);
            connection->read();
        }
        accept();
    });
}

}  // namespace planetserve::adapters
