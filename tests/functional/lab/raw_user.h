// A user whose requests nobody checks on their way into the overlay: what a model node must expect of strangers.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/streambuf.hpp>
#include <list>

#include "roles/runtime.h"
#include "roles/user_role.h"

namespace planetserve::lab {

// Reads requests from the standard input, a JSON object a line: {"method", "path", "model", "body"}, the body as text.
// For each writes a line to the standard output, in the order of their ends: {"number", "status", "body"} or
// {"number", "error"}; they are numbered as they came.
class RawUser {
public:
    RawUser(roles::Runtime& runtime, roles::UserRole& role);
    ~RawUser();

private:
    struct Asked;

    void read();
    void ask(const std::string& line);
    void finish(Asked& asked);

    roles::Runtime& runtime_;
    roles::UserRole& role_;
    boost::asio::posix::stream_descriptor input_;
    boost::asio::streambuf buffer_;
    std::list<Asked> asked_;
    std::uint64_t next_number_ = 0;
};

}  // namespace planetserve::lab
