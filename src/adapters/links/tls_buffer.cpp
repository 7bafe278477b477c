#include "adapters/links/tls_buffer.h"

#include <cstring>
#include <stdexcept>

namespace planetserve::adapters {

namespace {

TlsBuffer& buffer_of(BIO* bio) { return *static_cast<TlsBuffer*>(BIO_get_data(bio)); }

int read_some(BIO* bio, char* data, std::size_t size, std::size_t* done) {
    TlsBuffer& buffer = buffer_of(bio);
    BIO_clear_retry_flags(bio);
    *done = std::min(size, buffer.in.size());
    if (*done == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    std::memcpy(data, buffer.in.data(), *done);
    buffer.in = buffer.in.subspan(*done);
    return 1;
}

int write_some(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
    append(buffer_of(bio).out, as_bytes({data, size}));
    *done = size;
    return 1;
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* method() {
    static BIO_METHOD* made = [] {
        BIO_METHOD* own = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "planetserve link");
        if (own == nullptr || BIO_meth_set_read_ex(own, read_some) != 1 ||
            BIO_meth_set_write_ex(own, write_some) != 1 || BIO_meth_set_ctrl(own, control) != 1)
            throw std::runtime_error("TLS: no BIO");
        return own;
    }();
    return made;
}

}  // namespace

BIO* make_bio(TlsBuffer& buffer) {
    BIO* bio = BIO_new(method());
    if (bio == nullptr) throw std::runtime_error("TLS: no BIO");
    BIO_set_data(bio, &buffer);
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace planetserve::adapters
