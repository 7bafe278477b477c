#include "base/files.h"

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
