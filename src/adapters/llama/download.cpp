#include "adapters/llama/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace planetserve::adapters {

namespace fs = std::filesystem;

namespace {

std::unexpected<Error> system_error(const std::string& doing) {
    return fail(ErrorCode::io, doing + ": " + std::strerror(errno));
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    operator int() const { return number_; }

private:
    int number_;
};

struct FreeCurl {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

// Hashes the file from its beginning; returns its size.
Result<std::uint64_t> hash_all(int descriptor, crypto::Sha256& hash) {
    Bytes buffer(1 << 20);
    std::uint64_t size = 0;
    if (::lseek(descriptor, 0, SEEK_SET) < 0) return system_error("reading a file");
    for (;;) {
        ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error("reading a file");
        if (got == 0) return size;
        hash.update(ByteView(buffer).first(static_cast<std::size_t>(got)));
        size += static_cast<std::uint64_t>(got);
    }
}

// One transfer into the open partial file.
struct Transfer {
    CURL* curl;
    int part;
    crypto::Sha256& hash;
    std::uint64_t had;  // in the file and in the hash
    const DownloadOptions& options;
    const DownloadProgress& progress;
    std::uint64_t total = 0;
    bool began = false;
    Status status{};

    bool begin() {
        began = true;
        long code = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        if (had > 0 && code != 206) {  // the whole file again, although only the rest was asked for
            hash.finish();
            had = 0;
            if (::ftruncate(part, 0) != 0 || ::lseek(part, 0, SEEK_SET) < 0) {
                status = system_error("emptying the partial file");
                return false;
            }
        }
        curl_off_t length = -1;
        curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        if (length >= 0) total = had + static_cast<std::uint64_t>(length);
        return within_limit(total);
    }
    bool within_limit(std::uint64_t size) {
        if (size <= options.size_limit) return true;
        status = fail(ErrorCode::exhausted,
                      "the file is larger than " + std::to_string(options.size_limit) + " bytes, the limit");
        return false;
    }
    bool take(ByteView bytes) {
        if (!began && !begin()) return false;
        if (!within_limit(had + bytes.size())) return false;
        for (ByteView rest = bytes; !rest.empty();) {
            ssize_t written = ::write(part, rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) {
                status = system_error("writing the partial file");
                return false;
            }
            hash.update(rest.first(static_cast<std::size_t>(written)));
            had += static_cast<std::uint64_t>(written);
            rest = rest.subspan(static_cast<std::size_t>(written));
        }
        return told();
    }
    bool told() {
        if (!progress || progress(had, total)) return true;
        status = fail(ErrorCode::cancelled, "the download was given up");
        return false;
    }

    static std::size_t on_write(char* data, std::size_t, std::size_t size, void* self) {
        bool taken = static_cast<Transfer*>(self)->take(as_bytes({data, size}));
        return taken ? size : size + 1;  // another number than size makes libcurl stop
    }
    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<Transfer*>(self)->told() ? 0 : 1;
    }
};

Status describe(CURLcode result, long code, const char* detail, bool& again) {
    again = true;
    if (code == 404 || code == 410 || code == 401 || code == 403) {
        again = false;
        ErrorCode kind = code == 404 || code == 410 ? ErrorCode::not_found : ErrorCode::permission_denied;
        return fail(kind, "the server answered with status " + std::to_string(code));
    }
    if (code >= 400) {
        again = code >= 500 || code == 408 || code == 429 || code == 416;
        return fail(ErrorCode::unavailable, "the server answered with status " + std::to_string(code));
    }
    std::string words = *detail ? detail : curl_easy_strerror(result);
    if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL) {
        again = false;
        return fail(ErrorCode::invalid_argument, words);
    }
    return fail(result == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timed_out : ErrorCode::unavailable, words);
}

Status transfer(const std::string& url, Transfer& transfer, Duration left, bool& again) {
    std::unique_ptr<CURL, FreeCurl> curl(curl_easy_init());
    if (!curl) return fail(ErrorCode::internal, "libcurl did not start");
    char detail[CURL_ERROR_SIZE] = "";
    const DownloadOptions& options = transfer.options;
    transfer.curl = curl.get();
    transfer.began = false;
    auto milliseconds = [](Duration duration) {
        return static_cast<long>(std::max<std::int64_t>(1, duration.count() / 1000));
    };
    auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, options.allow_http ? "http,https" : "https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, options.allow_http && !url.starts_with("https:") ? "http,https" : "https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 5L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "planetserve");
    set(CURLOPT_ERRORBUFFER, detail);
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_deadline));
    set(CURLOPT_TIMEOUT_MS, milliseconds(left));
    set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.slowest_rate));
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.slow_for.count()));
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_write);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    set(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
    if (transfer.had > 0) set(CURLOPT_RANGE, (std::to_string(transfer.had) + "-").c_str());
    CURLcode result = curl_easy_perform(curl.get());
    again = false;
    if (!transfer.status) return transfer.status;
    if (result == CURLE_OK) return {};
    long code = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
    // 416: the server has nothing beyond the part that we have. Its digest will decide (RFC 9110, section 15.5.17).
    if (code == 416 && transfer.had > 0) return {};
    return describe(result, code, detail, again);
}

Result<std::uint64_t> empty(int part, crypto::Sha256& hash) {
    hash.finish();
    if (::ftruncate(part, 0) != 0 || ::lseek(part, 0, SEEK_SET) < 0) return system_error("emptying the partial file");
    return 0;
}

}  // namespace

Result<crypto::Digest> sha256_of_file(const fs::path& file) {
    Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (descriptor < 0) return system_error("opening " + file.string());
    crypto::Sha256 hash;
    if (auto size = hash_all(descriptor, hash); !size) return std::unexpected(size.error());
    return hash.finish();
}

Status download(const std::string& url, const crypto::Digest& sha256, const fs::path& file,
                const DownloadOptions& options, const DownloadProgress& progress) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    SystemClock clock;
    Time end = clock.now() + options.deadline;
    auto failed = [&](const Error& error) { return fail(error.code, "downloading " + url + ": " + error.message); };

    fs::path part_path = file.string() + ".part";
    Descriptor part(::open(part_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (part < 0) return system_error("opening " + part_path.string());
    while (::flock(part, LOCK_EX | LOCK_NB) != 0) {
        if (clock.now() > end)
            return fail(ErrorCode::timed_out, "another process has been downloading " + file.string());
        if (progress && !progress(0, 0)) return fail(ErrorCode::cancelled, "the download was given up");
        std::this_thread::sleep_for(200ms);
    }
    struct stat ours{}, named{};
    if (::fstat(part, &ours) != 0) return system_error("reading " + part_path.string());
    if (::stat(part_path.c_str(), &named) != 0 || named.st_ino != ours.st_ino) {
        // Another process finished it while this one waited.
        auto digest = sha256_of_file(file);
        if (digest && *digest == sha256) return {};
        return fail(ErrorCode::unavailable, "another process was downloading " + file.string() + "; try again");
    }

    crypto::Sha256 hash;
    auto had = hash_all(part, hash);
    if (!had) return std::unexpected(had.error());
    bool resumed = *had > 0;
    unsigned attempts = 0;
    for (;;) {
        Transfer one{nullptr, part, hash, *had, options, progress};
        bool again = false;
        Status status = transfer(url, one, std::max(end - clock.now(), Duration(1ms)), again);
        if (one.had > *had) attempts = 0;
        had = one.had;
        if (status) {
            if (one.total == 0 || one.had == one.total || !one.began) {
                if (hash.finish() == sha256) break;
                // The kept part may be of another version of the file: download all of it once more.
                if (auto emptied = empty(part, hash); !emptied) return std::unexpected(emptied.error());
                had = 0;
                if (std::exchange(resumed, false)) continue;
                ::unlink(part_path.c_str());
                return failed({ErrorCode::authentication, "what came does not have the SHA-256 " + to_hex(sha256)});
            }
            again = true;
            status = fail(ErrorCode::unavailable, "the transfer ended early");
        }
        if (!again || ++attempts >= options.attempts || clock.now() >= end) return failed(status.error());
        resumed = *had > 0;
        Duration pause = options.pause * (1LL << std::min(attempts - 1, 6U));
        std::this_thread::sleep_for(std::min(pause, std::max(end - clock.now(), Duration::zero())));
    }
    if (::fsync(part) != 0) return system_error("writing " + part_path.string());
    if (::rename(part_path.c_str(), file.c_str()) != 0) return system_error("renaming " + part_path.string());
    return {};
}

}  // namespace planetserve::adapters
