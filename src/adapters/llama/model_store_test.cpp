#include "adapters/llama/model_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <fstream>
#include <mutex>

#include "adapters/llama/test_support.h"
#include "base/random.h"

namespace planetserve::adapters {
namespace {

namespace fs = std::filesystem;
using boost::asio::ip::tcp;
using testing_support::TemporaryFolder;

std::string contents(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Answers each connection's one request as the test says, on a thread of its own.
class FileServer {
public:
    using Answer = std::function<std::string(int number, const std::string& range)>;

    explicit FileServer(Answer answer)
        : acceptor_(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          answer_(std::move(answer)),
          thread_([this] { serve(); }) {}
    ~FileServer() {
        stopped_ = true;
        tcp::socket wake(context_);
        boost::system::error_code ignored;
        wake.connect(acceptor_.local_endpoint(), ignored);
        thread_.join();
    }
    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/m.gguf";
    }
    std::vector<std::string> ranges() {
        std::lock_guard lock(mutex_);
        return ranges_;
    }

private:
    void serve() {
        while (true) {
            tcp::socket socket(context_);
            boost::system::error_code error;
            acceptor_.accept(socket, error);
            if (error || stopped_) return;
            std::string request;
            char buffer[4096];
            while (request.find("\r\n\r\n") == std::string::npos && !error)
                request.append(buffer, socket.read_some(boost::asio::buffer(buffer), error));
            std::string range;
            if (std::size_t at = request.find("Range: "); at != std::string::npos)
                range = request.substr(at + 7, request.find('\r', at) - at - 7);
            int number = 0;
            {
                std::lock_guard lock(mutex_);
                ranges_.push_back(range);
                number = static_cast<int>(ranges_.size());
            }
            boost::asio::write(socket, boost::asio::buffer(answer_(number, range)), error);
            socket.shutdown(tcp::socket::shutdown_both, error);
        }
    }

    boost::asio::io_context context_;
    tcp::acceptor acceptor_;
    Answer answer_;
    std::atomic<bool> stopped_ = false;
    std::mutex mutex_;
    std::vector<std::string> ranges_;
    std::thread thread_;
};

struct ModelStoreTest : testing::Test {
    ModelStoreTest() {
        ::setenv("no_proxy", "127.0.0.1", 1);
        SeededRandom random(3);
        Bytes bytes(300'000);
        random.fill(bytes);
        model = planetserve::to_string(bytes);
        digest = to_hex(crypto::sha256(as_bytes(model)));
        options.pause = 10ms;
        options.attempts = 3;
    }
    // The model, or the rest that was asked for. Only so many of its bytes are sent.
    std::string reply(const std::string& range, std::size_t sent = std::string::npos) const {
        std::size_t from = range.empty() ? 0 : std::stoul(range.substr(6));
        if (from >= model.size())
            return "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        std::string rest = model.substr(from);
        std::string head = range.empty()
                               ? "HTTP/1.1 200 OK\r\n"
                               : "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) + "-" +
                                     std::to_string(model.size() - 1) + "/" + std::to_string(model.size()) + "\r\n";
        return head + "Content-Length: " + std::to_string(rest.size()) + "\r\nConnection: close\r\n\r\n" +
               rest.substr(0, sent);
    }
    Result<VerifiedModel> fetch(const FileServer& server, const DownloadProgress& progress = {}) {
        return ModelStore(folder.path / "models", std::nullopt, options)
            .resolve({.catalogue = {}, .file = {}, .url = server.url(), .sha256 = digest}, progress);
    }
    fs::path target() const { return folder.path / "models" / ("sha256-" + digest + ".gguf"); }

    TemporaryFolder folder;
    DownloadOptions options;
    std::string model;
    std::string digest;
};

TEST_F(ModelStoreTest, DownloadsOnceAndTellsProgress) {
    FileServer server([&](int, const std::string& range) { return reply(range); });
    std::uint64_t most = 0, total = 0;
    auto progress = [&](std::uint64_t had, std::uint64_t all) {
        most = std::max(most, had);
        total = std::max(total, all);
        return true;
    };
    for (int i = 0; i < 2; ++i) {
        auto found = fetch(server, progress);
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_EQ(found->file, target());
        EXPECT_EQ(found->size, model.size());
    }
    EXPECT_EQ(contents(target()), model);
    EXPECT_EQ(most, model.size());
    EXPECT_EQ(total, model.size());
    EXPECT_EQ(server.ranges().size(), 1U);
    EXPECT_FALSE(fs::exists(target().string() + ".part"));
}

TEST_F(ModelStoreTest, GoesOnWhereATransferBroke) {
    FileServer server(
        [&](int number, const std::string& range) { return number < 3 ? reply(range, 100'000) : reply(range); });
    auto found = fetch(server);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(contents(target()), model);
    std::vector<std::string> expected{"", "bytes=100000-", "bytes=200000-"};
    EXPECT_EQ(server.ranges(), expected);
}

TEST_F(ModelStoreTest, GoesOnInALaterCall) {
    options.attempts = 1;
    FileServer server(
        [&](int number, const std::string& range) { return number == 1 ? reply(range, 50'000) : reply(range); });
    bool give_up = true;
    auto stopped = fetch(server, [&](std::uint64_t had, std::uint64_t) { return !give_up || had < 50'000; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
    EXPECT_FALSE(fs::exists(target()));
    give_up = false;
    ASSERT_TRUE(fetch(server));
    EXPECT_EQ(server.ranges().back(), "bytes=50000-");
    EXPECT_EQ(contents(target()), model);
}

TEST_F(ModelStoreTest, AServerWithoutRangesSendsItAllAgain) {
    FileServer server([&](int number, const std::string&) { return number == 1 ? reply("", 100'000) : reply(""); });
    auto found = fetch(server);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(contents(target()), model);
}

TEST_F(ModelStoreTest, AKeptPieceOfSomethingElseIsThrownAway) {
    fs::create_directories(target().parent_path());
    for (std::size_t size : {1000U, 300'000U, 400'000U}) {
        std::ofstream(target().string() + ".part") << std::string(size, 'x');
        FileServer server([&](int, const std::string& range) { return reply(range); });
        auto found = fetch(server);
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_EQ(contents(target()), model);
        EXPECT_EQ(server.ranges().size(), 2U);
        fs::remove(target());
    }
}

TEST_F(ModelStoreTest, WhatHasAnotherDigestNeverBecomesAFile) {
    FileServer server([&](int, const std::string& range) { return reply(range); });
    digest[0] = digest[0] == '0' ? '1' : '0';
    auto found = fetch(server);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::authentication);
    EXPECT_FALSE(fs::exists(target()));
    EXPECT_FALSE(fs::exists(target().string() + ".part"));
}

TEST_F(ModelStoreTest, RefusalsAreTold) {
    FileServer missing([](int, const std::string&) { return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"; });
    EXPECT_EQ(fetch(missing).error().code, ErrorCode::not_found);
    EXPECT_EQ(missing.ranges().size(), 1U);
    FileServer busy([](int, const std::string&) { return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"; });
    EXPECT_EQ(fetch(busy).error().code, ErrorCode::unavailable);
    EXPECT_EQ(busy.ranges().size(), 3U);
    options.size_limit = 200'000;
    FileServer large([&](int, const std::string& range) { return reply(range); });
    EXPECT_EQ(fetch(large).error().code, ErrorCode::exhausted);
    ModelStore store(folder.path, std::nullopt, options);
    auto resolve = [&](std::optional<std::string> url, std::optional<std::string> sha256) {
        return store.resolve({.catalogue = {}, .file = {}, .url = std::move(url), .sha256 = std::move(sha256)});
    };
    EXPECT_EQ(resolve("file:///etc/passwd", digest).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(resolve("http://127.0.0.1/", std::nullopt).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(resolve("http://127.0.0.1/", "12").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(resolve(std::nullopt, std::nullopt).error().code, ErrorCode::invalid_argument);
}

TEST_F(ModelStoreTest, ChecksAFileOnceAndAgainWhenItChanged) {
    fs::path file = folder.path / "m.gguf";
    std::ofstream(file) << model;
    ModelStore store(folder.path, std::nullopt);
    ModelSource source{.catalogue = {}, .file = file, .url = {}, .sha256 = digest};
    ASSERT_TRUE(store.resolve(source));
    fs::path stamp = folder.path / ".m.gguf.verified";
    EXPECT_NE(contents(stamp).find(digest), std::string::npos);
    // A change of content that keeps size and time shows that the stamp is believed.
    auto time = fs::last_write_time(file);
    std::fstream(file, std::ios::in | std::ios::out).seekp(10).put('!').put('?');
    fs::last_write_time(file, time);
    EXPECT_TRUE(store.resolve(source));
    fs::last_write_time(file, time + std::chrono::seconds(1));
    auto changed = store.resolve(source);
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code, ErrorCode::authentication);
    source.sha256.reset();
    EXPECT_TRUE(store.resolve(source));
    source.file = folder.path / "none.gguf";
    EXPECT_EQ(store.resolve(source).error().code, ErrorCode::not_found);
}

TEST_F(ModelStoreTest, FindsModelsOfTheCatalogue) {
    fs::path catalogue = folder.path / "catalogue.yaml";
    std::ofstream(catalogue) << "models:\n  - name: small\n    file: m.gguf\n    size: 300000\n    sha256: " << digest
                             << "\n";
    ModelStore store(folder.path, catalogue);
    auto resolve = [&](const std::string& name) {
        return store.resolve({.catalogue = name, .file = {}, .url = {}, .sha256 = {}});
    };
    auto missing = resolve("small");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("planetserve models fetch small"), std::string::npos);
    EXPECT_NE(resolve("large").error().message.find("it has: small"), std::string::npos);
    std::ofstream(folder.path / "m.gguf") << model.substr(1);
    EXPECT_EQ(resolve("small").error().code, ErrorCode::authentication);
    std::ofstream(folder.path / "m.gguf") << model;
    auto found = resolve("small");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(to_hex(found->sha256), digest);
    std::ofstream(catalogue) << "models:\n  - name: small\n    file: ../m.gguf\n    size: 1\n    sha256: " << digest
                             << "\n";
    EXPECT_EQ(resolve("small").error().code, ErrorCode::invalid_argument);
    std::ofstream(catalogue) << "models:\n  - name: small\n";
    EXPECT_EQ(resolve("small").error().code, ErrorCode::malformed);
    EXPECT_FALSE(
        ModelStore(folder.path, std::nullopt).resolve({.catalogue = "small", .file = {}, .url = {}, .sha256 = {}}));
}

// This installation's catalogue can be read.
TEST(Catalogue, OurOwnIsWellFormed) {
    auto models = read_catalogue(PLANETSERVE_SOURCE_CATALOGUE);
    ASSERT_TRUE(models) << models.error().message;
    EXPECT_GE(models->size(), 2U);
}

}  // namespace
}  // namespace planetserve::adapters
