// A whole local network (`planetserve up`) beside the llama-server of its one model node asked directly, over the
// server's unix socket, in the same run. Pairs of the same request, turn by turn: streamed chat completions, nothing
// from the prompt cache, the same seed.
//
// ttft               milliseconds until the first token (median); reference: asked directly
// ttft-added         the median of the differences of the pairs
// tokens-per-second  after the first token, as the client sees them (median); reference: asked directly
// idle-memory        resident MiB of a user node that relays and was not asked (median of the 15)
// user-memory        resident MiB of the user node whose API was asked, after the last reply
//
// Needs what ./planetserve bench exports: PLANETSERVE_ENGINE, PLANETSERVE_MODELS, PLANETSERVE_CATALOGUE.
#include <curl/curl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "bench/report.h"

extern char** environ;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using planetserve::bench::Report;

constexpr int users = 16;
constexpr int pairs = 40;
constexpr int warm_up = 4;
constexpr int tokens = 96;
constexpr const char* model = "smollm2-135m-instruct";

volatile sig_atomic_t interrupted = 0;

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> samples) {
    auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    return *middle;
}

json::value read_json(const fs::path& file) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    return json::parse(text.str());
}

class Network {
public:
    Network() {
        for (const char* name : {"PLANETSERVE_ENGINE", "PLANETSERVE_MODELS", "PLANETSERVE_CATALOGUE"})
            if (std::getenv(name) == nullptr)
                throw std::runtime_error(std::string(name) + " is not set; run ./planetserve bench overlay");
        std::string folder = (fs::temp_directory_path() / "planetserve-XXXXXX").string();
        if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
        home_ = folder;
        if (run({"up", "--home", home_, "--users", std::to_string(users), "--models", "1"}) != 0) {
            stop();
            throw std::runtime_error("planetserve up failed");
        }
    }
    ~Network() { stop(); }
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    std::string api() const {
        return "http://127.0.0.1:" +
               std::to_string(read_json(home_ / "network.json").at("api_port").to_number<unsigned>());
    }
    fs::path engine_socket() const { return home_ / "nodes" / "model-1" / "engine-0.sock"; }

    double resident_mib(int user) const {
        auto run = read_json(home_ / "nodes" / ("user-" + std::to_string(user)) / "run.json");
        std::ifstream status("/proc/" + std::to_string(run.at("pid").to_number<pid_t>()) + "/status");
        for (std::string word; status >> word;) {
            double kib = 0;
            if (word == "VmRSS:" && status >> kib) return kib / 1024;
        }
        throw std::runtime_error("a user node is gone");
    }

private:
    void stop() {
        run({"down", "--home", home_});
        std::error_code ignored;
        fs::remove_all(home_, ignored);
    }

    static int run(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), fs::read_symlink("/proc/self/exe").parent_path() / "planetserve");
        std::vector<char*> raw;
        for (std::string& argument : arguments) raw.push_back(argument.data());
        raw.push_back(nullptr);
        pid_t pid = 0;
        if (::posix_spawn(&pid, raw[0], nullptr, nullptr, raw.data(), environ) != 0) return 127;
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }

    fs::path home_;
};

// One place to ask, over a new connection each time: llama-server closes kept ones after some seconds.
class Client {
public:
    struct Answer {
        double ttft_ms = 0;
        double tokens_per_second = 0;
        std::string text;  // the events' contents as they stand in the JSON
    };

    Client(std::string url, const fs::path& socket) : url_(std::move(url)), curl_(curl_easy_init()) {
        headers_ = curl_slist_append(nullptr, "Content-Type: application/json");
        if (!socket.empty()) curl_easy_setopt(curl_, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
        curl_easy_setopt(curl_, CURLOPT_URL, url_.c_str());
        curl_easy_setopt(curl_, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(curl_, CURLOPT_PROXY, "");
        curl_easy_setopt(curl_, CURLOPT_TIMEOUT, 60L);
        curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
        curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(curl_, CURLOPT_WRITEDATA, this);
    }
    ~Client() {
        curl_easy_cleanup(curl_);
        curl_slist_free_all(headers_);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    Answer ask(const std::string& body) {
        line_.clear();
        times_.clear();
        text_.clear();
        curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.c_str());
        double start = now_ms();
        CURLcode code = curl_easy_perform(curl_);
        long status = 0;
        curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
        if (code != CURLE_OK || status != 200)
            throw std::runtime_error(url_ + ": " + (code != CURLE_OK ? curl_easy_strerror(code) : line_.c_str()));
        if (times_.size() < tokens / 2) throw std::runtime_error(url_ + ": too short an answer");
        return {times_.front() - start, 1e3 * static_cast<double>(times_.size() - 1) / (times_.back() - times_.front()),
                text_};
    }

private:
    static std::size_t take(char* data, std::size_t, std::size_t size, void* self) {
        if (interrupted != 0) return 0;
        static_cast<Client*>(self)->add({data, size});
        return size;
    }
    void add(std::string_view piece) {
        double at = now_ms();
        for (char c : piece) {
            if (c != '\n') {
                line_ += c;
                continue;
            }
            constexpr std::string_view content = R"("content":")";
            std::size_t found = line_.find(content);
            if (found != std::string::npos && line_[found + content.size()] != '"') {
                times_.push_back(at);
                text_ += line_.substr(found + content.size(), line_.find("\"}", found) - found - content.size());
            }
            line_.clear();
        }
    }

    std::string url_;
    CURL* curl_;
    curl_slist* headers_ = nullptr;
    std::string line_;
    std::vector<double> times_;
    std::string text_;
};

std::string request(int number) {
    json::object message{{"role", "user"},
                         {"content", "Letter " + std::to_string(100 + number) +
                                         ": tell me about the planets of the solar system, what each of them is made "
                                         "of, how long its year and its day are, and which moons it has."}};
    return json::serialize(json::object{{"model", model},
                                        {"stream", true},
                                        {"max_tokens", tokens},
                                        {"seed", 7},
                                        {"temperature", 0},
                                        {"ignore_eos", true},
                                        {"cache_prompt", false},
                                        {"messages", json::array{message}}});
}

void run(Report& report) {
    Network network;
    std::this_thread::sleep_for(std::chrono::seconds(3));
    std::vector<double> memory;
    for (int user = 2; user <= users; ++user) memory.push_back(network.resident_mib(user));

    Client overlay(network.api() + "/v1/chat/completions", "");
    Client direct("http://localhost/v1/chat/completions", network.engine_socket());
    std::vector<double> ttft, ttft_direct, added, rate, rate_direct;
    int different = 0;
    for (int i = -warm_up; i < pairs && interrupted == 0; ++i) {
        Client::Answer through, straight;
        std::string body = request(i);
        if (i % 2 == 0) {
            straight = direct.ask(body);
            through = overlay.ask(body);
        } else {
            through = overlay.ask(body);
            straight = direct.ask(body);
        }
        if (i < 0) continue;
        different += through.text != straight.text ? 1 : 0;
        ttft.push_back(through.ttft_ms);
        ttft_direct.push_back(straight.ttft_ms);
        added.push_back(through.ttft_ms - straight.ttft_ms);
        rate.push_back(through.tokens_per_second);
        rate_direct.push_back(straight.tokens_per_second);
    }
    if (interrupted != 0) throw std::runtime_error("interrupted");
    if (different > 0)
        std::cout << different << " of " << pairs << " pairs of answers differ: the engine does not repeat itself "
                  << "exactly\n";
    report.add("ttft", median(ttft), "ms", median(ttft_direct));
    report.add("ttft-added", median(added), "ms");
    report.add("tokens-per-second", median(rate), "1/s", median(rate_direct));
    report.add("idle-memory", median(memory), "MiB");
    report.add("user-memory", network.resident_mib(1), "MiB");
}

}  // namespace

int main(int argc, char** argv) {
    Report report("bench_overlay", argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    // The network is taken down also when the benchmark is stopped.
    for (int signal : {SIGINT, SIGTERM}) ::signal(signal, [](int) { interrupted = 1; });
    try {
        run(report);
    } catch (const std::exception& error) {
        std::cerr << "bench_overlay: " << error.what() << '\n';
        return 1;
    }
    return report.finish();
}
