// Who may join a run: the user that asked first, and nobody whom the request was sent to or forwarded by
// (docs/protocols/requests.md).
//
// All exchanges of one request, its retries, are signed by one key, the request's owner. The user derives it from a
// secret of its own and the idempotency id, so that two requests have nothing in common. The public half stands in the
// head; the signature covers the exchange's id and the digest of what is asked. A model node that has the request, and
// with it all of the head, still cannot sign an exchange of its own, nor change what is asked.
#pragma once

#include "crypto/hash.h"
#include "crypto/identity.h"
#include "exchange/envelope.h"
#include "exchange/messages.h"

namespace planetserve::exchange {

// Names a run at a model node: the owner's key and the idempotency id, hashed. Two owners that chose one id have two
// runs.
using RunId = FixedBytes<struct RunIdTag, 32>;

// What a request is to a model node's runs.
struct Ask {
    RunId run;
    crypto::Digest digest{};  // of method, path, content type, model and body
};

// The owner of a request: of all requests with this id that this secret's holder makes.
crypto::Identity owner_of(const IdempotencyId& id, const crypto::SymmetricKey& secret);

RunId run_of(const RequestHead& head);

// Puts the owner's key and signature into the head of an exchange.
void sign(RequestHead& head, ByteView body, const ExchangeId& exchange, const crypto::Identity& owner);

// invalid_argument where the owner named in the head did not sign this exchange with this body.
Result<Ask> check_owner(const RequestHead& head, ByteView body, const ExchangeId& exchange);

}  // namespace planetserve::exchange
