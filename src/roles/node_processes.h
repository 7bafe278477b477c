// What the verbs `user`, `model` and `verifier` run: a node's whole process, from its configuration to its end. Each
// returns when the node was asked to stop, or says why it cannot start.
#pragma once

#include "config/model_config.h"
#include "config/user_config.h"
#include "config/verifier_config.h"

namespace planetserve::roles {

Status run_user_node(const config::UserConfig& config);
Status run_model_node(const config::ModelConfig& config);
Status run_verification_node(const config::VerifierConfig& config);

}  // namespace planetserve::roles
