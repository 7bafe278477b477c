#include "roles/replay_file.h"

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/files.h"

namespace planetserve::roles {

namespace {

constexpr std::size_t tag_size = std::tuple_size_v<onion::RelayAdmission::ReplayTag>;
constexpr std::size_t record_size = 4 + tag_size;

Bytes encode(const onion::RelayAdmission::Remembered& setup) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u32(setup.expiry);
    writer.bytes(setup.tag);
    return bytes;
}

}  // namespace

ReplayFile::ReplayFile(std::filesystem::path file, std::size_t maximum_records)
    : file_(std::move(file)), maximum_records_(maximum_records) {}

std::vector<onion::RelayAdmission::Remembered> ReplayFile::load(UnixTime now) {
    std::vector<onion::RelayAdmission::Remembered> kept;
    std::string content;
    // One more than there should be, and its rest.
    if (auto read = read_file(file_, (maximum_records_ + 2) * record_size)) {
        ByteReader reader(as_bytes(*read));
        while (reader.remaining() >= record_size) {
            onion::RelayAdmission::Remembered setup{reader.u32(), reader.array<tag_size>()};
            if (setup.expiry < onion::expiry_minutes(now)) continue;
            kept.push_back(setup);
            content += to_string(encode(setup));
        }
    }
    out_.close();
    records_ = kept.size();
    if (write_file(file_, content)) out_.open(file_, std::ios::binary | std::ios::app);
    return kept;
}

Status ReplayFile::add(const onion::RelayAdmission::Remembered& setup, UnixTime now) {
    if (!out_.is_open() || records_ >= maximum_records_) load(now);
    const Bytes record = encode(setup);
    errno = 0;
    out_.write(reinterpret_cast<const char*>(record.data()), static_cast<std::streamsize>(record.size()));
    if (out_.flush()) {
        ++records_;
        return {};
    }
    const int why = errno;
    out_.close();
    out_.clear();
    return fail(ErrorCode::io,
                "cannot write " + file_.string() + (why == 0 ? "" : std::string(": ") + std::strerror(why)));
}

}  // namespace planetserve::roles
