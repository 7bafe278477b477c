// The sender's half of S-IDA: a message becomes n cloves, one for each path.
#pragma once

#include <vector>

#include "base/random.h"
#include "dispersal/clove.h"

namespace planetserve::dispersal {

// Returns one encoded clove for each index below n, all of clove_size(message.size(), k) bytes.
//
// id must be fresh: the receiver groups cloves by it. binding is a secret that the receiver also knows (an X25519
// agreement; it may be empty). The message's key depends on it besides the shares, so k cloves alone do not open the
// message. random must be a cryptographic generator: it gives the key and its shares.
//
// Error: invalid_argument for a threshold out of range or a message above largest_message.
Result<std::vector<Bytes>> split(ByteView message, Threshold threshold, const MessageId& id, ByteView binding,
                                 Random& random);

// The clove of one index alone, as split() makes it from the same message and the same random bytes: for a clove that
// is sent again. REQUIRES: index < threshold.n.
Result<Bytes> split_one(ByteView message, Threshold threshold, std::uint8_t index, const MessageId& id,
                        ByteView binding, Random& random);

// The same into a vector whose memory is reused, for messages so large that fresh memory costs more than the work.
Status split_into(std::vector<Bytes>& cloves, ByteView message, Threshold threshold, const MessageId& id,
                  ByteView binding, Random& random);

}  // namespace planetserve::dispersal
