//! The chain index of the SGLang gateway (crate kv-index).

use kv_index::{ChainBlockMap, ChainIndex, ContentHash, StoredBlock};
use kv_index::{compute_request_content_hashes, request_prefix_hashes};

use crate::{Asked, Index};

pub fn hash(tokens: &[u32], chunk: usize) -> Vec<ContentHash> {
    compute_request_content_hashes(tokens, chunk)
}

pub struct Chain {
    index: ChainIndex,
    // What each worker's events are applied with; part of the index's memory.
    _maps: Vec<ChainBlockMap>,
}

impl Chain {
    pub fn fill(prompts: &[Vec<ContentHash>], holders: usize) -> Chain {
        let index = ChainIndex::new();
        let mut maps: Vec<ChainBlockMap> = (0..holders).map(|_| ChainBlockMap::new()).collect();
        for (i, content) in prompts.iter().enumerate() {
            let blocks: Vec<StoredBlock> = content
                .iter()
                .zip(request_prefix_hashes(content))
                .map(|(&content_hash, seq_hash)| StoredBlock { seq_hash, content_hash })
                .collect();
            let holder = i % holders;
            let worker = index.intern_worker(&holder.to_string()).expect("there is room");
            index.apply_stored(worker, &blocks, None, &mut maps[holder]).expect("the root is a parent");
        }
        Chain { index, _maps: maps }
    }

    /// What find_matches() does, without its map.
    fn best(&self, hashes: &[ContentHash]) -> u32 {
        let mut best = 0;
        self.index.score_into(hashes, |hash| hash.0, false, |_, score| best = best.max(score));
        best
    }
}

impl Index for Chain {
    fn lookup(&self, asked: &Asked, i: usize) -> u32 {
        self.best(&asked.smg.whole[i])
    }
    fn lookup_hashed(&self, asked: &Asked, i: usize) -> u32 {
        self.best(&hash(asked.tokens_of(i), asked.chunk_tokens))
    }
    fn match_short(&self, asked: &Asked, i: usize) -> u32 {
        self.best(&asked.smg.short[i])
    }
}
