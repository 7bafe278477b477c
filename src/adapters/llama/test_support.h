// For the tests of this folder: a loop that runs until a condition holds, a temporary folder, and a small HTTP server
// whose answers each test gives.
#pragma once

#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "inference/recording_sink_fixture.h"
#include "inference/small_call.h"

namespace planetserve::adapters::testing_support {

struct TemporaryFolder {
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "ps-test-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
        path = pattern;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
};

inline bool run_until(boost::asio::io_context& context, const std::function<bool()>& done,
                      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
        context.restart();
        context.run_one_for(std::chrono::milliseconds(20));
    }
    return done();
}

using inference::post_of;
using inference::RecordingSink;

// Listens on a unix socket. For each request read, answer(number of the request, its text) gives the pieces to send one
// after the other; an empty last piece closes the connection, and connections stay open otherwise.
class TinyServer {
public:
    using Socket = boost::asio::local::stream_protocol::socket;
    using Answer = std::function<std::vector<std::string>(int, const std::string&)>;

    TinyServer(boost::asio::io_context& context, const std::filesystem::path& path, Answer answer)
        : acceptor_(context, boost::asio::local::stream_protocol::endpoint(path.string())), answer_(std::move(answer)) {
        accept();
    }

    int requests = 0;
    int connections = 0;
    int hangups = 0;
    std::size_t sent = 0;

    void close_connections() {
        for (auto& weak : open_)
            if (auto session = weak.lock()) close(*session);
    }

private:
    struct Session {
        explicit Session(Socket from) : socket(std::move(from)) {}
        Socket socket;
        std::string in;
        std::vector<std::string> out;
        std::string buffer = std::string(65536, '\0');
    };

    static void close(Session& session) {
        boost::system::error_code ignored;
        session.socket.close(ignored);
    }

    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, Socket socket) {
            if (error) return;
            ++connections;
            auto session = std::make_shared<Session>(std::move(socket));
            open_.push_back(session);
            read(session);
            accept();
        });
    }
    void read(std::shared_ptr<Session> session) {
        session->socket.async_read_some(boost::asio::buffer(session->buffer),
                                        [this, session](boost::system::error_code error, std::size_t size) {
                                            if (error) {
                                                if (error != boost::asio::error::operation_aborted) ++hangups;
                                                return;
                                            }
                                            session->in.append(session->buffer, 0, size);
                                            take(session);
                                            read(session);
                                        });
    }
    void take(const std::shared_ptr<Session>& session) {
        std::size_t head = session->in.find("\r\n\r\n");
        if (head == std::string::npos) return;
        std::size_t length = 0;
        if (std::size_t at = session->in.find("Content-Length: "); at < head)
            length = std::stoul(session->in.substr(at + 16));
        if (session->in.size() < head + 4 + length) return;
        std::string text = session->in.substr(0, head + 4 + length);
        session->in.erase(0, text.size());
        session->out = answer_(++requests, text);
        send(session, 0);
    }
    void send(const std::shared_ptr<Session>& session, std::size_t next) {
        if (next == session->out.size()) return;
        if (session->out[next].empty()) return close(*session);
        boost::asio::async_write(session->socket, boost::asio::buffer(session->out[next]),
                                 [this, session, next](boost::system::error_code error, std::size_t size) {
                                     sent += size;
                                     if (!error) send(session, next + 1);
                                 });
    }

    boost::asio::local::stream_protocol::acceptor acceptor_;
    Answer answer_;
    std::vector<std::weak_ptr<Session>> open_;
};

}  // namespace planetserve::adapters::testing_support
