// One request with a small reply, which comes whole.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "inference/service.h"

namespace planetserve::inference {

Request get_of(std::string path);
// With a body of JSON.
Request post_of(std::string path, std::string_view body);

// May be used again; one call at a time. Not thread-safe.
class SmallCall final : private ReplySink {
public:
    // The body of a reply with status 200. Else `unavailable` with the status, `malformed` where the body is larger
    // than `most`, or the service's own error.
    using Done = std::function<void(Result<std::string> body)>;

    // Cancels the previous call. The service outlives the call. Fails with the service's error where the call cannot
    // begin; then `done` is not called. Otherwise it is called once, and may destroy this.
    Status start(Service& service, Request request, std::size_t most, Done done);
    // `done` is not called.
    void cancel();

private:
    void on_head(const ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void end(Result<std::string> result);

    std::unique_ptr<Exchange> exchange_;
    std::size_t most_ = 0;
    std::string body_;
    Done done_;
};

}  // namespace planetserve::inference
