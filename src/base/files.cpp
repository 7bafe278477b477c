#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace planetserve {

namespace fs = std::filesystem;

Status write_file(const fs::path& file, const std::string& content) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    fs::path temporary = file;
    temporary += ".new";
    errno = 0;
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << content;
    out.close();
    if (!out) {
        // Of the system call that failed: "No space left on device" tells more than the file's name.
        const int why = errno;
        fs::remove(temporary, error);
        return fail(ErrorCode::io,
                    "cannot write " + file.string() + (why == 0 ? "" : std::string(": ") + std::strerror(why)));
    }
    fs::rename(temporary, file, error);
    if (error) return fail(ErrorCode::io, "cannot write " + file.string() + ": " + error.message());
    return {};
}

Status write_private_file(const fs::path& file, std::string_view content) {
    fs::path temporary = file;
    temporary += ".new";
    auto wrong = [&](int why) {
        return fail(ErrorCode::io, "cannot write " + file.string() + ": " + std::strerror(why));
    };
    if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return wrong(errno);
    const int out = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) return wrong(errno);
    int why = 0;
    while (!content.empty() && why == 0) {
        const ssize_t size = ::write(out, content.data(), content.size());
        if (size >= 0)
            content.remove_prefix(static_cast<std::size_t>(size));
        else if (errno != EINTR)
            why = errno;
    }
    if (why == 0 && ::fsync(out) != 0) why = errno;
    ::close(out);
    if (why == 0 && ::rename(temporary.c_str(), file.c_str()) != 0) why = errno;
    if (why == 0) return {};
    ::unlink(temporary.c_str());
    return wrong(why);
}

Result<std::string> read_file(const fs::path& file, std::size_t maximum) {
    errno = 0;
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        const int why = errno;
        return fail(ErrorCode::io,
                    "cannot read " + file.string() + (why == 0 ? "" : std::string(": ") + std::strerror(why)));
    }
    std::string text(maximum + 1, 0);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > maximum)
        return fail(ErrorCode::exhausted, file.string() + " is larger than " + std::to_string(maximum) + " bytes");
    return text;
}

}  // namespace planetserve
