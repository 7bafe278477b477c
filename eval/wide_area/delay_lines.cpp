#include "eval/wide_area/delay_lines.h"

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/bytes.h"
#include "eval/wide_area/connection_owner.h"

namespace planetserve::eval {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t read_at_once = 64 << 10;
constexpr std::size_t most_under_way = 32 << 20;  // in one direction; reading pauses there
constexpr std::size_t most_lateness = 1 << 20;    // figures that are kept
constexpr Duration look_again = 5ms;
constexpr Duration unknown_after = 2s;

tcp::endpoint on_loopback(std::uint16_t port) { return {asio::ip::address_v4::loopback(), port}; }

std::chrono::steady_clock::time_point moment(Time time) {
    return std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(time.time_since_epoch()));
}

}  // namespace

class DelayLines::State {
public:
    explicit State(RoundTrip own_round_trip)
        : round_trip(std::move(own_round_trip)), work_(context.get_executor()), thread_([this] { context.run(); }) {}
    ~State() {
        context.stop();
        thread_.join();
    }

    Result<Endpoint> open(std::size_t node, const Endpoint& target);
    void accept(tcp::acceptor& acceptor, std::size_t node, std::uint16_t target);
    // The node whose process has the other end of a connection that was accepted.
    std::optional<std::size_t> dialler(std::uint16_t from, std::uint16_t to) const;

    RoundTrip round_trip;
    SystemClock clock;
    asio::io_context context{1};
    mutable std::mutex mutex;  // of what follows
    std::map<std::size_t, pid_t> processes;
    std::set<std::shared_ptr<Line>> lines;
    std::vector<double> late;

private:
    std::vector<std::unique_ptr<tcp::acceptor>> acceptors_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

// One connection: the dialler's, and ours to the node that it wants. Only the thread of the lines touches it.
class DelayLines::Line : public std::enable_shared_from_this<Line> {
public:
    Line(State& state, tcp::socket dialled, std::size_t node, std::uint16_t target)
        : accepted_at_(state.clock.now()),
          state_(state),
          ends_{std::move(dialled), tcp::socket(state.context)},
          ways_{Way(state.context), Way(state.context)},
          timer_(state.context),
          node_(node),
          target_(target) {}

    // Looks who dialled, as long as it takes the process to be made known, then goes on.
    void start() {
        error_code failed, unread;
        auto remote = ends_[0].remote_endpoint(failed);
        auto local = ends_[0].local_endpoint(unread);
        auto from = failed || unread ? std::nullopt : state_.dialler(remote.port(), local.port());
        if (!from && !failed && state_.clock.now() < accepted_at_ + unknown_after) {
            timer_.expires_after(look_again);
            timer_.async_wait([self = shared_from_this()](error_code error) {
                if (!error) self->start();
            });
            return;
        }
        if (!from) return close();
        between_ = {std::min(*from, node_), std::max(*from, node_)};
        away_ = state_.round_trip(*from, node_);
        ends_[1].async_connect(on_loopback(target_), [self = shared_from_this()](error_code error) {
            if (error) return self->close();
            error_code ignored;
            for (tcp::socket& end : self->ends_) end.set_option(tcp::no_delay(true), ignored);
            {
                std::lock_guard lock(self->state_.mutex);
                self->known_ = true;
            }
            self->read(0);
            self->read(1);
        });
    }

    // With the state's mutex held.
    bool joins(std::pair<std::size_t, std::size_t> nodes) const { return known_ && between_ == nodes; }
    Time accepted_at() const { return accepted_at_; }

private:
    struct Chunk {
        Bytes bytes;  // empty: the end
        Time due;
    };
    // From one end to the other.
    struct Way {
        explicit Way(asio::io_context& context) : timer(context) {}
        std::array<std::uint8_t, read_at_once> buffer{};
        std::deque<Chunk> under_way;
        std::size_t bytes = 0;
        asio::steady_timer timer;
        bool reading = false;
        bool writing = false;
        bool ended = false;  // nothing more comes
        bool over = false;   // and that was passed on
    };

    void read(std::size_t from) {
        Way& way = ways_[from];
        if (way.reading || way.ended || way.bytes > most_under_way) return;
        way.reading = true;
        ends_[from].async_read_some(asio::buffer(way.buffer),
                                    [self = shared_from_this(), from](error_code error, std::size_t size) {
                                        self->on_read(from, error, size);
                                    });
    }

    void on_read(std::size_t from, error_code error, std::size_t size) {
        Way& way = ways_[from];
        way.reading = false;
        if (closed_) return;
        way.ended = bool(error);
        Time now = state_.clock.now();
        // The dialler believes to be connected since TCP's handshake with this end of the loopback.
        Time sent = from == 0 ? std::max(now, accepted_at_ + away_) : now;
        ByteView bytes = ByteView(way.buffer).first(error ? 0 : size);
        way.under_way.push_back({to_bytes(bytes), sent + away_ / 2});
        way.bytes += bytes.size();
        wait(from);
        read(from);
    }

    void wait(std::size_t from) {
        Way& way = ways_[from];
        if (way.writing || way.under_way.empty()) return;
        way.writing = true;
        way.timer.expires_at(moment(way.under_way.front().due));
        way.timer.async_wait([self = shared_from_this(), from](error_code error) {
            if (!error && !self->closed_) self->pass_on(from);
        });
    }

    void pass_on(std::size_t from) {
        Way& way = ways_[from];
        const Chunk& chunk = way.under_way.front();
        if (chunk.bytes.empty()) {
            error_code ignored;
            ends_[1 - from].shutdown(tcp::socket::shutdown_send, ignored);
            way.over = true;
            if (ways_[1 - from].over) close();
            return;
        }
        {
            std::lock_guard lock(state_.mutex);
            if (state_.late.size() < most_lateness)
                state_.late.push_back(to_seconds(state_.clock.now() - chunk.due) * 1000);
        }
        asio::async_write(ends_[1 - from], asio::buffer(chunk.bytes),
                          [self = shared_from_this(), from](error_code error, std::size_t size) {
                              if (error) return self->close();
                              Way& written = self->ways_[from];
                              written.bytes -= size;
                              written.under_way.pop_front();
                              written.writing = false;
                              self->wait(from);
                              self->read(from);
                          });
    }

    void close() {
        closed_ = true;
        error_code ignored;
        for (tcp::socket& end : ends_) end.close(ignored);
        for (Way& way : ways_) way.timer.cancel();
        std::lock_guard lock(state_.mutex);
        state_.lines.erase(shared_from_this());
    }

    const Time accepted_at_;
    State& state_;
    std::array<tcp::socket, 2> ends_;  // the dialler, the node
    std::array<Way, 2> ways_;          // what comes from each
    asio::steady_timer timer_;
    std::size_t node_;
    std::uint16_t target_;
    std::pair<std::size_t, std::size_t> between_;
    Duration away_{};
    bool known_ = false;
    bool closed_ = false;
};

Result<Endpoint> DelayLines::State::open(std::size_t node, const Endpoint& target) {
    auto acceptor = std::make_unique<tcp::acceptor>(context);
    error_code error;
    acceptor->open(tcp::v4(), error);
    if (!error) acceptor->bind(on_loopback(0), error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error) return fail(ErrorCode::io, "no address for a delay line: " + error.message());
    Endpoint address{"127.0.0.1", acceptor->local_endpoint().port()};
    asio::post(context, [this, node, port = target.port, opened = std::move(acceptor)]() mutable {
        acceptors_.push_back(std::move(opened));
        accept(*acceptors_.back(), node, port);
    });
    return address;
}

void DelayLines::State::accept(tcp::acceptor& acceptor, std::size_t node, std::uint16_t target) {
    acceptor.async_accept([this, &acceptor, node, target](error_code error, tcp::socket dialled) {
        if (error == asio::error::operation_aborted) return;
        if (!error) {
            auto line = std::make_shared<Line>(*this, std::move(dialled), node, target);
            {
                std::lock_guard lock(mutex);
                lines.insert(line);
            }
            line->start();
        }
        accept(acceptor, node, target);
    });
}

std::optional<std::size_t> DelayLines::State::dialler(std::uint16_t from, std::uint16_t to) const {
    std::map<pid_t, std::size_t> nodes;
    std::vector<pid_t> candidates;
    {
        std::lock_guard lock(mutex);
        for (const auto& [node, process] : processes) {
            nodes[process] = node;
            candidates.push_back(process);
        }
    }
    auto owner = connection_owner(from, to, candidates);
    return owner ? std::optional(nodes.at(*owner)) : std::nullopt;
}

DelayLines::DelayLines(RoundTrip round_trip) : state_(std::make_unique<State>(std::move(round_trip))) {}
DelayLines::~DelayLines() = default;

Result<Endpoint> DelayLines::open(std::size_t node, const Endpoint& target) { return state_->open(node, target); }

void DelayLines::process_of(std::size_t node, pid_t process) {
    std::lock_guard lock(state_->mutex);
    state_->processes[node] = process;
}

std::optional<Time> DelayLines::connected_since(std::size_t one, std::size_t other) const {
    std::pair nodes{std::min(one, other), std::max(one, other)};
    std::optional<Time> since;
    std::lock_guard lock(state_->mutex);
    for (const auto& line : state_->lines)
        if (line->joins(nodes)) since = std::min(since.value_or(Time::max()), line->accepted_at());
    return since;
}

std::vector<double> DelayLines::lateness() const {
    std::lock_guard lock(state_->mutex);
    return state_->late;
}

}  // namespace planetserve::eval
