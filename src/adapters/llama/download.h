// Downloads one large file over HTTP whose checksum is known.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "crypto/hash.h"

namespace planetserve::adapters {

// Bytes so far and in all (0 when unknown). Return false to give up; the part that came is kept for the next time.
using DownloadProgress = std::function<bool(std::uint64_t had, std::uint64_t total)>;

struct DownloadOptions {
    std::uint64_t size_limit = 64ULL << 30;
    Duration connect_deadline = 30s;
    Duration deadline = 24h;            // of the whole
    std::uint64_t slowest_rate = 1024;  // bytes a second, on average over slow_for; a slower transfer ends
    std::chrono::seconds slow_for{60};
    unsigned attempts = 5;   // in a row that bring nothing new
    Duration pause = 500ms;  // before the second attempt; doubled before each further one
    bool allow_http = true;  // the checksum vouches for the content
};

// Downloads to `file` by way of `file` + ".part". An interrupted transfer resumes where it stopped, also in a later
// call. `file` appears only when it is whole and has the digest. Blocks. One process downloads a file at a time; others
// wait. Errors: invalid_argument (the URL), not_found (404, 410), permission_denied (401, 403), unavailable, timed_out,
// exhausted (larger than the limit), authentication (another digest), io, cancelled.
Status download(const std::string& url, const crypto::Digest& sha256, const std::filesystem::path& file,
                const DownloadOptions& options = {}, const DownloadProgress& progress = {});

// The digest of a file, read in pieces.
Result<crypto::Digest> sha256_of_file(const std::filesystem::path& file);

}  // namespace planetserve::adapters
