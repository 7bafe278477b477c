// A relay's replay tags on disk, so that set-ups that it took before a restart are refused after it
// (docs/protocols/paths.md).
//
// A record is the expiry in minutes (4 bytes, big-endian) and the tag (16). Records are appended as set-ups are taken;
// the file is written anew at start, and when it has twice as many as a relay remembers.
#pragma once

#include <filesystem>
#include <fstream>

#include "node/relay_role.h"

namespace planetserve::roles {

class ReplayFile {
public:
    // How many records a file may have before those that expired are dropped.
    ReplayFile(std::filesystem::path file, std::size_t maximum_records);

    // The records that have not expired. A record that is cut off is skipped: a crash may leave one at the end.
    std::vector<onion::RelayAdmission::Remembered> load(UnixTime now);
    // Fails with `io`; the file is then tried anew with the next record.
    Status add(const onion::RelayAdmission::Remembered& setup, UnixTime now);

private:
    std::filesystem::path file_;
    std::size_t maximum_records_;
    std::ofstream out_;
    std::size_t records_ = 0;
};

}  // namespace planetserve::roles
