#include "adapters/http/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

namespace planetserve::adapters {

namespace {

constexpr std::size_t maximum_reply = 64 << 20;

struct Transfer {
    const HttpCall* call;
    HttpAnswer reply;
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.call->on_body) return transfer.call->on_body({data, size}) ? size : 0;
    if (transfer.reply.body.size() + size > maximum_reply) return 0;
    transfer.reply.body.append(data, size);
    return size;
}

int look(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const HttpCall*>(user)->interrupted() ? 1 : 0;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
    std::string_view line(data, size);
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
    static_cast<Transfer*>(user)->reply.headers[name] = std::string(value);
    return size;
}

}  // namespace

Result<HttpAnswer> http_call(const HttpCall& call) {
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) return fail(ErrorCode::internal, "libcurl could not start");
    Transfer transfer{&call, {}};
    curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
    if (!call.api_key.empty()) list = curl_slist_append(list, ("Authorization: Bearer " + call.api_key).c_str());
    for (const auto& [name, value] : call.headers) list = curl_slist_append(list, (name + ": " + value).c_str());
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, curl_slist_free_all);
    curl_easy_setopt(curl.get(), CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, call.timeout_seconds);
    curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &transfer);
    if (!call.body.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, call.body.data());
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    }
    if (call.interrupted) {
        curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, look);
        curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &call);
    }
    CURLcode code = curl_easy_perform(curl.get());
    if (code == CURLE_ABORTED_BY_CALLBACK) return fail(ErrorCode::cancelled, "interrupted");
    if (code != CURLE_OK)
        return fail(code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timed_out : ErrorCode::unavailable,
                    call.url + ": " + curl_easy_strerror(code));
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &transfer.reply.status);
    return std::move(transfer.reply);
}

}  // namespace planetserve::adapters
