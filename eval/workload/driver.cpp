#include "eval/workload/driver.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <limits>
#include <unordered_map>

#include "adapters/llama/http_engine.h"
#include "eval/workload/simple_get.h"

namespace planetserve::eval {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

// How long least_outstanding keeps away from a server that could not be reached, while others are left.
constexpr Duration avoid_for = 3s;
constexpr std::size_t error_body_limit = 4096;

struct Server {
    std::unique_ptr<adapters::HttpEngine> engine;
    std::size_t outstanding = 0;
    Time avoid_until{};
};

bool worth_another(unsigned status) { return status == 0 || status == 429 || status == 502 || status == 503; }

std::string body_of(const WorkItem& item, const DriverOptions& options) {
    std::string body = "{\"model\":" + json::serialize(json::value(options.model)) + ",\"messages\":" + item.messages +
                       ",\"max_tokens\":" + std::to_string(item.max_tokens) +
                       ",\"temperature\":0,\"seed\":" + std::to_string(options.seed & 0x7fffffff) +
                       ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    if (options.ignore_eos) body += ",\"ignore_eos\":true";
    return body + "}";
}

class Run {
public:
    Run(asio::io_context& context, const DriverOptions& options, const std::vector<WorkItem>& items,
        std::vector<Server> servers, Progress& progress)
        : context_(context),
          options_(options),
          items_(items),
          servers_(std::move(servers)),
          progress_(progress),
          timer_(context),
          start_(clock_.now()) {
        records_.resize(items.size());
        for (std::size_t i = 0; i < items.size(); ++i) order_.push_back(i);
        std::ranges::sort(order_, {}, [&](std::size_t i) { return std::pair(*items[i].at, i); });
    }

    std::vector<RequestRecord> finish() {
        send_due();
        while (ended_ < items_.size()) {
            if (context_.stopped()) context_.restart();
            context_.run_one();
        }
        timer_.cancel();
        context_.restart();
        context_.poll();
        return std::move(records_);
    }

private:
    class Flight;

    Time due(std::size_t index) const { return start_ + *items_[index].at; }

    void send_due();
    void begin(std::size_t index, bool waited);
    void ended(Flight& flight);
    std::size_t choose(const std::vector<bool>& tried);

    asio::io_context& context_;
    const DriverOptions& options_;
    const std::vector<WorkItem>& items_;
    std::vector<Server> servers_;
    Progress& progress_;
    SystemClock clock_;
    asio::steady_timer timer_;
    const Time start_;
    std::vector<RequestRecord> records_;
    std::vector<std::size_t> order_;  // by when they are due
    std::size_t next_ = 0;            // in order_
    std::size_t turn_ = 0;
    std::size_t ended_ = 0;
    std::size_t failed_ = 0;
    std::unordered_map<std::size_t, std::unique_ptr<Flight>> flights_;
    std::unordered_map<std::string, std::vector<std::size_t>> sessions_;  // the one under way, then those that wait
};

// One request, over all its attempts.
class Run::Flight final : private inference::ReplySink {
public:
    Flight(Run& run, std::size_t index, bool waited)
        : record(run.records_[index]), index_(index), run_(run), tried_(run.servers_.size()), deadline_(run.context_) {
        record.index = index;
        record.session = run.items_[index].session;
        record.sent = to_seconds(run.clock_.now() - run.start_);
        record.due = waited ? record.sent : to_seconds(*run.items_[index].at);
    }
    ~Flight() override { leave_server(); }

    void begin() {
        wait_until(std::min(run_.clock_.now() + run_.options_.first_token_deadline, last_moment()));
        attempt();
    }

    std::size_t index() const { return index_; }

    RequestRecord& record;

private:
    Time last_moment() const {
        return run_.start_ + Duration(static_cast<std::int64_t>(record.sent * 1e6)) + run_.options_.request_deadline;
    }

    void wait_until(Time moment) {
        deadline_.expires_after(std::max(Duration(0), moment - run_.clock_.now()));
        deadline_.async_wait([this, alive = std::weak_ptr<int>(alive_), moment](boost::system::error_code error) {
            if (error || alive.expired() || over_) return;
            if (run_.clock_.now() < moment) return;
            end(answer_.first_token() ? "timed out: the answer stalled or took too long" : "timed out: no first token");
        });
    }

    void attempt() {
        server_ = run_.choose(tried_);
        tried_[server_] = true;
        record.endpoint = server_;
        record.status = 0;
        ++record.attempts;
        refusal_.clear();
        answer_ = AnswerStream();
        Server& server = run_.servers_[server_];
        ++server.outstanding;
        counted_ = true;
        inference::Request request;
        request.method = "POST";
        request.path = "/v1/chat/completions";
        request.content_type = "application/json";
        request.body = to_bytes(body_of(run_.items_[index_], run_.options_));
        auto started = server.engine->start(std::move(request), *this);
        if (!started) return failed(started.error().message);
        exchange_ = std::move(*started);
    }

    void on_head(const inference::ReplyHead& head) override { record.status = head.status; }

    void on_body(ByteView bytes) override {
        exchange_->consumed(bytes.size());
        if (record.status != 200) {
            if (refusal_.size() < error_body_limit) refusal_ += as_text(bytes);
            return;
        }
        Time now = run_.clock_.now();
        bool had_first = answer_.first_token().has_value();
        Status fed = answer_.feed(bytes, now);
        if (!fed) return failed(fed.error().message);
        // A stream that talks without a token does not put off the first token's deadline.
        if (had_first || answer_.first_token()) wait_until(std::min(now + run_.options_.stall_deadline, last_moment()));
    }

    void on_end() override {
        if (record.status != 200) return failed("HTTP status " + std::to_string(record.status) + told_why());
        if (!answer_.complete()) return failed("the stream ended before the answer did");
        end("");
    }

    void on_error(const Error& error) override {
        // What comes after a whole answer does not matter.
        if (answer_.complete() && answer_.usage()) return end("");
        failed(error.message);
    }

    // ": MESSAGE" of an OpenAI error, where there is one.
    std::string told_why() const {
        boost::system::error_code failed;
        json::value value = json::parse(refusal_, failed);
        if (failed) return "";
        const auto* message = value.find_pointer("/error/message", failed);
        if (!message || !message->is_string()) return "";
        return ": " + std::string(message->get_string()).substr(0, 200);
    }

    void failed(const std::string& why) {
        leave_server();
        Time now = run_.clock_.now();
        bool again = run_.options_.policy == Policy::least_outstanding && !answer_.first_token() &&
                     worth_another(record.status == 200 ? 0 : record.status) &&
                     std::ranges::find(tried_, false) != tried_.end() && now < last_moment();
        if (again || record.status == 0) run_.servers_[server_].avoid_until = now + avoid_for;
        if (!again) return end(why.empty() ? "failed" : why);
        // From the loop, so that servers which fail at once do not deepen the stack.
        asio::post(run_.context_, [this, alive = std::weak_ptr<int>(alive_)] {
            if (!alive.expired() && !over_) attempt();
        });
    }

    void leave_server() {
        exchange_.reset();
        if (std::exchange(counted_, false)) --run_.servers_[server_].outstanding;
    }

    void end(std::string error) {
        over_ = true;
        leave_server();
        deadline_.cancel();
        record.error = std::move(error);
        auto since_due = [&](Time time) { return to_seconds(time - run_.start_) - record.due; };
        record.usage = answer_.usage();
        record.pieces = answer_.pieces();
        if (answer_.first_token()) record.ttft = since_due(*answer_.first_token());
        if (record.ok()) record.latency = since_due(answer_.last_token().value_or(run_.clock_.now()));
        if (record.ok() && record.completion_tokens() > 1 && answer_.first_token())
            record.tpot = to_seconds(*answer_.last_token() - *answer_.first_token()) /
                          static_cast<double>(record.completion_tokens() - 1);
        // Not now: this is inside of one of its own calls.
        asio::post(run_.context_, [this] { run_.ended(*this); });
    }

    const std::size_t index_;
    Run& run_;
    std::vector<bool> tried_;
    asio::steady_timer deadline_;
    std::size_t server_ = 0;
    std::unique_ptr<inference::Exchange> exchange_;
    AnswerStream answer_;
    std::string refusal_;
    bool counted_ = false;
    bool over_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

void Run::send_due() {
    Time now = clock_.now();
    while (next_ < order_.size() && flights_.size() < options_.in_flight_limit && due(order_[next_]) <= now) {
        std::size_t index = order_[next_++];
        const std::string& session = items_[index].session;
        if (!session.empty()) {
            auto& waiting = sessions_[session];
            waiting.push_back(index);
            if (waiting.size() > 1) continue;
        }
        begin(index, false);
    }
    // At the limit, the end of a request calls this again.
    if (next_ == order_.size() || flights_.size() >= options_.in_flight_limit) return;
    timer_.expires_after(std::max(Duration(0), due(order_[next_]) - clock_.now()));
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) send_due();
    });
}

void Run::begin(std::size_t index, bool waited) {
    auto flight = std::make_unique<Flight>(*this, index, waited);
    Flight& started = *flight;
    flights_.emplace(index, std::move(flight));
    started.begin();
}

void Run::ended(Flight& flight) {
    const std::string session = flight.record.session;
    if (!flight.record.ok()) ++failed_;
    flights_.erase(flight.index());
    progress_.set(++ended_, std::to_string(flights_.size()) + " under way, " + std::to_string(failed_) + " failed");
    if (!session.empty()) {
        auto& waiting = sessions_[session];
        waiting.erase(waiting.begin());
        if (waiting.empty())
            sessions_.erase(session);
        else
            begin(waiting.front(), true);
    }
    send_due();
}

std::size_t Run::choose(const std::vector<bool>& tried) {
    std::size_t first = turn_++ % servers_.size();
    if (options_.policy == Policy::round_robin) return first;
    Time now = clock_.now();
    auto cost = [&](std::size_t i) {
        return std::make_tuple(tried[i], servers_[i].avoid_until > now, servers_[i].outstanding);
    };
    std::size_t best = first;
    for (std::size_t step = 1; step < servers_.size(); ++step) {
        std::size_t i = (first + step) % servers_.size();
        if (cost(i) < cost(best)) best = i;
    }
    return best;
}

Result<std::string> model_of(asio::io_context& context, const DriverOptions& options) {
    std::string why;
    for (const auto& endpoint : options.endpoints) {
        auto body = fetch(context, endpoint, "/v1/models", 10s, options.api_key);
        if (!body) {
            why = body.error().message;
            continue;
        }
        boost::system::error_code error;
        json::value models = json::parse(*body, error);
        if (!error)
            if (const auto* id = models.find_pointer("/data/0/id", error); id && id->is_string())
                return std::string(id->get_string());
        why = "it lists no model";
    }
    return fail(ErrorCode::unavailable, "no endpoint tells which model it serves (" + why + "); name one with --model");
}

}  // namespace

Result<std::vector<RequestRecord>> drive(asio::io_context& context, const DriverOptions& options,
                                         const std::vector<WorkItem>& items, Progress& progress) {
    if (options.endpoints.empty()) return fail(ErrorCode::invalid_argument, "no endpoint to send requests to");
    if (!std::ranges::all_of(items, [](const WorkItem& item) { return item.at.has_value(); }))
        return fail(ErrorCode::invalid_argument, "a request has no time at which to send it");
    std::vector<Server> servers;
    for (const auto& endpoint : options.endpoints) {
        auto target = adapters::HttpTarget::parse(endpoint);
        if (!target) return std::unexpected(target.error());
        adapters::HttpEngineOptions engine;
        engine.target = *target;
        if (!options.api_key.empty()) engine.bearer_key = options.api_key;
        // The driver's own deadlines come first; these end what it has left behind.
        engine.head_deadline = options.request_deadline;
        engine.body_deadline = options.request_deadline;
        engine.connections = options.in_flight_limit;
        engine.idle_connections = 64;
        try {
            servers.push_back({std::make_unique<adapters::HttpEngine>(context, engine), 0, {}});
        } catch (const std::invalid_argument& error) {
            return fail(ErrorCode::invalid_argument, error.what());
        }
    }
    DriverOptions known = options;
    if (known.model.empty()) {
        auto model = model_of(context, options);
        if (!model) return std::unexpected(model.error());
        known.model = *model;
    }
    return Run(context, known, items, std::move(servers), progress).finish();
}

}  // namespace planetserve::eval
