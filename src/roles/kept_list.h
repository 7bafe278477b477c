// The last list of the directory, kept in the node's home (directory.bin) for its next start.
#pragma once

#include <filesystem>
#include <optional>

#include "committee/directory_client.h"

namespace planetserve::roles {

class KeptList {
public:
    explicit KeptList(std::filesystem::path file) : file_(std::move(file)) {}

    // Gives the client the list of an earlier run. A list that is not adopted is logged.
    void adopt_into(committee::DirectoryClient& client, Now now) const;
    // Writes the client's list, unless it was written a short time ago.
    void keep(const committee::DirectoryClient& client, Time now);
    // Writes the client's list.
    void keep(const committee::DirectoryClient& client);

private:
    std::filesystem::path file_;
    std::optional<Time> kept_at_;
};

}  // namespace planetserve::roles
