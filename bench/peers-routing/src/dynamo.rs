//! The indexes of NVIDIA Dynamo (crate dynamo-kv-router): the compressed concurrent radix tree and the plain one.

use std::sync::Arc;

use dynamo_kv_router::indexer::WorkerTask;
use dynamo_kv_router::protocols::*;
use dynamo_kv_router::{ConcurrentRadixTreeCompressed, RadixTree, SyncIndexer};

use crate::{Asked, Index};

pub fn hash(tokens: &[u32], chunk: usize) -> Vec<LocalBlockHash> {
    compute_block_hash_for_seq(tokens, chunk as u32, BlockHashOptions::default())
}

fn stored(i: usize, holders: usize, local: &[LocalBlockHash]) -> RouterEvent {
    let blocks = local
        .iter()
        .zip(compute_seq_hash_for_block(local))
        .map(|(&tokens_hash, sequence)| KvCacheStoredBlockData {
            block_hash: ExternalSequenceBlockHash(sequence),
            tokens_hash,
            mm_extra_info: None,
        })
        .collect();
    let data = KvCacheEventData::Stored(KvCacheStoreData { parent_hash: None, start_position: None, blocks });
    RouterEvent::new((i % holders) as u64, KvCacheEvent { event_id: i as u64, data, dp_rank: 0 })
}

fn best(scores: &OverlapScores) -> u32 {
    scores.scores.values().copied().max().unwrap_or(0)
}

pub struct Compressed {
    index: Arc<ConcurrentRadixTreeCompressed>,
    // Keeps the thread that applies events, and its part of the memory.
    _events: flume::Sender<WorkerTask>,
}

impl Compressed {
    pub fn fill(prompts: &[Vec<LocalBlockHash>], holders: usize) -> Compressed {
        let index = Arc::new(ConcurrentRadixTreeCompressed::new());
        // A rendezvous: an event is taken when the one before is applied.
        let (events, received) = flume::bounded(0);
        let worker = index.clone();
        std::thread::spawn(move || worker.worker(received, None));
        for (i, local) in prompts.iter().enumerate() {
            events.send(WorkerTask::Event(stored(i, holders, local))).expect("the worker lives");
        }
        events.send(WorkerTask::CleanupStaleChildren).expect("the worker lives");
        Compressed { index, _events: events }
    }
}

impl Index for Compressed {
    fn lookup(&self, asked: &Asked, i: usize) -> u32 {
        best(&self.index.find_matches(&asked.dynamo.whole[i], false))
    }
    fn lookup_hashed(&self, asked: &Asked, i: usize) -> u32 {
        best(&self.index.find_matches(&hash(asked.tokens_of(i), asked.chunk_tokens), false))
    }
    fn match_short(&self, asked: &Asked, i: usize) -> u32 {
        best(&self.index.find_matches(&asked.dynamo.short[i], false))
    }
}

pub struct Radix(RadixTree);

impl Radix {
    pub fn fill(prompts: &[Vec<LocalBlockHash>], holders: usize) -> Radix {
        let mut tree = RadixTree::new();
        for (i, local) in prompts.iter().enumerate() {
            tree.apply_event(stored(i, holders, local)).expect("the root is a parent");
        }
        Radix(tree)
    }
}

// It takes its hashes as a vector of its own, so the look-ups by given hashes copy them.
impl Index for Radix {
    fn lookup(&self, asked: &Asked, i: usize) -> u32 {
        best(&self.0.find_matches(asked.dynamo.whole[i].clone(), false))
    }
    fn lookup_hashed(&self, asked: &Asked, i: usize) -> u32 {
        best(&self.0.find_matches(hash(asked.tokens_of(i), asked.chunk_tokens), false))
    }
    fn match_short(&self, asked: &Asked, i: usize) -> u32 {
        best(&self.0.find_matches(asked.dynamo.short[i].clone(), false))
    }
}
