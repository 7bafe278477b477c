// The file of a model that this machine's engine serves.
#pragma once

#include "adapters/llama/model_store.h"
#include "config/served_model.h"

namespace planetserve::roles {

// Finds or fetches it, and checks it against its sha256.
Result<adapters::VerifiedModel> model_file(const config::ServedModelConfig& model);

}  // namespace planetserve::roles
