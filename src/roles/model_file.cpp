#include "roles/model_file.h"

#include <spdlog/spdlog.h>

#include <optional>

namespace planetserve::roles {

Result<adapters::VerifiedModel> model_file(const config::ServedModelConfig& model) {
    auto store = adapters::ModelStore::from_environment();
    std::optional<std::uint64_t> told;
    auto progress = [&](std::uint64_t have, std::uint64_t all) {
        std::uint64_t percent = all == 0 ? 0 : have * 100 / all;
        if (told && percent < *told + 10) return true;
        told = percent;
        spdlog::info("model {}: {} of {} MiB", model.name, have >> 20, all >> 20);
        return true;
    };
    return store.resolve({model.catalogue, model.file, model.url, model.sha256}, progress);
}

}  // namespace planetserve::roles
