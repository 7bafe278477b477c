// The sender's half of S-IDA: a message becomes n cloves, one for each path.
#pragma once

#include <vector>

#include "base/random.h"
#include "dispersal/clove.h"

namespace planetserve::dispersal {

// One encoded clove for each index below n, all of clove_size(message.size(), k) bytes.
//
// The id must be fresh: it is what the receiver groups cloves by. The binding is a secret that the receiver also knows
// (an X25519 agreement; it may be empty) and that the message's key depends on besides the shares: with it, k cloves
// are not enough for those who carry them. random must be a cryptographic generator: it gives the key and its shares.
//
// Fails with invalid_argument for a threshold out of range or a message above largest_message.
Result<std::vector<Bytes>> split(ByteView message, Threshold threshold, const MessageId& id, ByteView binding,
                                 Random& random);

// The same into a vector whose memory is used again, for messages so large that fresh memory costs more than the work.
Status split_into(std::vector<Bytes>& cloves, ByteView message, Threshold threshold, const MessageId& id,
                  ByteView binding, Random& random);

}  // namespace planetserve::dispersal
