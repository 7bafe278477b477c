// Memory between OpenSSL and a socket: OpenSSL reads records from `in` and appends records to `out`; the link reads and
// writes the socket. So one system call moves many TLS records, and none is made only to learn that there is nothing
// to read.
#pragma once

#include <openssl/bio.h>

#include "base/bytes.h"

namespace planetserve::adapters {

struct TlsBuffer {
    ByteView in;  // came from the socket, not yet read by OpenSSL; a view of the caller's memory
    Bytes out;    // records for the socket
};

// A BIO over the buffer, which outlives it. Throws std::runtime_error when OpenSSL cannot make one.
BIO* make_bio(TlsBuffer& buffer);

}  // namespace planetserve::adapters
