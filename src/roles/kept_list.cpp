#include "roles/kept_list.h"

#include <spdlog/spdlog.h>

#include "base/files.h"

namespace planetserve::roles {

namespace {

constexpr Duration keep_every = 30s;
constexpr std::size_t largest_list = 64 << 20;  // bytes

}  // namespace

void KeptList::adopt_into(committee::DirectoryClient& client, Now now) const {
    auto kept = read_file(file_, largest_list);
    if (!kept) return;
    if (auto adopted = client.adopt(as_bytes(*kept), now); !adopted)
        spdlog::warn("the kept list is not used: {}", adopted.error().message);
}

void KeptList::keep(const committee::DirectoryClient& client, Time now) {
    if (kept_at_ && now - *kept_at_ < keep_every) return;
    kept_at_ = now;
    keep(client);
}

void KeptList::keep(const committee::DirectoryClient& client) {
    const Bytes kept = client.keep();
    if (kept.empty()) return;
    if (auto written = write_file(file_, to_string(kept)); !written) spdlog::warn("{}", written.error().message);
}

}  // namespace planetserve::roles
