#include "apps/model_file.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>

namespace planetserve::apps {

Result<std::filesystem::path> model_file(const ServedModelConfig& model) {
    if (model.file) return *model.file;
    const char* catalogue = std::getenv("PLANETSERVE_CATALOGUE");
    const char* models = std::getenv("PLANETSERVE_MODELS");
    if (catalogue == nullptr || models == nullptr) return fail(ErrorCode::not_found, "PLANETSERVE_CATALOGUE and PLANETSERVE_MODELS are not set");
    for (const auto& item : YAML::LoadFile(catalogue)["models"])
        if (item["name"].as<std::string>() == model.catalogue) return std::filesystem::path(models) / item["file"].as<std::string>();
    return fail(ErrorCode::not_found, "no such model");
}

}  // namespace planetserve::apps
