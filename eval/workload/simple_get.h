// GET of something small, from a Service.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "inference/service.h"

namespace planetserve::eval {

// One at a time; a new start ends the one before. At most 4 MiB, status 200.
class SimpleGet final : private inference::ReplySink {
public:
    using Done = std::function<void(Result<std::string> body)>;

    // `done` is called once, possibly before this returns. The service outlives the request.
    void start(inference::Service& service, const std::string& path, Done done);
    // Ends it without a word.
    void cancel();

private:
    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void end(Result<std::string> result);

    std::unique_ptr<inference::Exchange> exchange_;
    std::string body_;
    Done done_;
};

// The same, waited for: runs the context on this thread. BASE as HttpTarget::parse takes it.
Result<std::string> fetch(boost::asio::io_context& context, const std::string& base, const std::string& path,
                          Duration deadline, const std::string& api_key = {});

}  // namespace planetserve::eval
