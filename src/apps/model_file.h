// The file of a model that this machine's engine serves.
#pragma once

#include "adapters/llama/model_store.h"
#include "apps/config.h"

namespace planetserve::apps {

// Finds or fetches it, and checks it against its sha256.
Result<adapters::VerifiedModel> model_file(const ServedModelConfig& model);

}  // namespace planetserve::apps
