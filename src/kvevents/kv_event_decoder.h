// What vLLM publishes of its KV cache, decoded: msgspec's MessagePack of a KVEventBatch
// (vllm/distributed/kv_events.py).
//
// A batch is [ts, events, data_parallel_rank], or a map with those names. An event is a list of its name and its fields
// in order (until mid-2026), or a map with the name under "type" (since then). A list may be shorter or longer than
// this version knows; a map may lack fields and have others. Hashes of blocks are integers or bytes. Events with other
// names are skipped.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "routing/cache_events.h"

namespace planetserve::kvevents {

inline constexpr std::size_t kv_batch_limit = 8 << 20;      // bytes
inline constexpr std::size_t kv_batch_event_limit = 65536;  // events

struct KvEventBatch {
    std::vector<routing::CacheEvent> events;
    std::size_t unknown = 0;  // events of other names
};

// Errors: malformed: not such a batch, or an event with a known name that lacks a required field. exhausted: over a
// limit. It allocates at most some ten times the payload.
Result<KvEventBatch> decode_kv_events(ByteView payload);

}  // namespace planetserve::kvevents
