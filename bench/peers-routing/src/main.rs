//! The prefix indexes of other routers, timed turn by turn with ours by bench_routing (bench/peer_process.h).
//!
//! Standard input, integers little-endian: bytes of a chunk, bytes of a prompt, holders, prompts, prompts that are asked
//! for, and how many of those by their tokens, too (u32 each); the prompts; those that are asked for. Prompt i is inserted for holder i modulo holders. A token is
//! four bytes, so these see the very bytes that ours sees.
//!
//! Answers with a line "NAME BYTES" for each index, BYTES being what the heap grew by, and "ready". Then for each line
//! "NAME OPERATION CALLS" a line with the nanoseconds these calls took. Operations: lookup (hashes given), lookup_hashed
//! (from tokens), match_short (hashes given, a third of them held).

mod dynamo;
mod smg;

use std::hint::black_box;
use std::io::{self, BufRead, Read, Write};
use std::time::Instant;

use dynamo_kv_router::LocalBlockHash;
use kv_index::ContentHash;

/// One index, filled. Each gives how many leading chunks the best holder has, from a result that covers all holders.
pub trait Index {
    fn lookup(&self, asked: &Asked, i: usize) -> u32;
    fn lookup_hashed(&self, asked: &Asked, i: usize) -> u32;
    fn match_short(&self, asked: &Asked, i: usize) -> u32;
}

/// The prompts that are looked up, and their hashes by each crate's own functions.
pub struct Asked {
    pub chunk_tokens: usize,
    /// Of the first ones alone.
    tokens: Vec<Vec<u32>>,
    pub smg: Hashes<ContentHash>,
    pub dynamo: Hashes<LocalBlockHash>,
}

impl Asked {
    pub fn tokens_of(&self, i: usize) -> &[u32] {
        &self.tokens[i % self.tokens.len()]
    }
}

pub struct Hashes<T> {
    pub whole: Vec<Vec<T>>,
    /// Of these a third is held.
    pub short: Vec<Vec<T>>,
}

impl<T: Clone> Hashes<T> {
    fn new(tokens: &[Vec<u32>], hash: impl Fn(&[u32]) -> Vec<T>, alter: impl Fn(&mut T)) -> Hashes<T> {
        let whole: Vec<Vec<T>> = tokens.iter().map(|prompt| hash(prompt)).collect();
        let mut short = whole.clone();
        for hashes in &mut short {
            let held = hashes.len() / 3;
            hashes[held..].iter_mut().for_each(&alter);
        }
        Hashes { whole, short }
    }
}

/// Bytes in use, those of mapped blocks included.
fn heap() -> usize {
    // Plain counters of the allocator.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

fn read_u32(input: &mut impl Read) -> io::Result<usize> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes) as usize)
}

fn read_tokens(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<Vec<u32>> {
    input.read_exact(bytes)?;
    Ok(bytes.chunks_exact(4).map(|token| u32::from_le_bytes([token[0], token[1], token[2], token[3]])).collect())
}

type Named = (&'static str, Box<dyn Index>);

fn build<T: Index + 'static>(indexes: &mut Vec<Named>, name: &'static str, fill: impl FnOnce() -> T) {
    let before = heap();
    let index = fill();
    println!("{name} {}", heap() - before);
    indexes.push((name, Box::new(index)));
}

fn main() -> io::Result<()> {
    // One arena, or the counters would miss what other threads allocate.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    let mut input = io::stdin().lock();
    let chunk = read_u32(&mut input)?;
    let mut bytes = vec![0; read_u32(&mut input)?];
    let holders = read_u32(&mut input)?;
    let prompts = read_u32(&mut input)?;
    let asked = read_u32(&mut input)?;
    let hashed = read_u32(&mut input)?;
    let chunk_tokens = chunk / 4;
    let mut smg_hashes = Vec::with_capacity(prompts);
    let mut dynamo_hashes = Vec::with_capacity(prompts);
    for _ in 0..prompts {
        let tokens = read_tokens(&mut input, &mut bytes)?;
        smg_hashes.push(smg::hash(&tokens, chunk_tokens));
        dynamo_hashes.push(dynamo::hash(&tokens, chunk_tokens));
    }
    let asked = (0..asked).map(|_| read_tokens(&mut input, &mut bytes)).collect::<io::Result<Vec<_>>>()?;
    let asked = Asked {
        chunk_tokens,
        smg: Hashes::new(&asked, |tokens| smg::hash(tokens, chunk_tokens), |hash| hash.0 ^= 0x5555),
        dynamo: Hashes::new(&asked, |tokens| dynamo::hash(tokens, chunk_tokens), |hash| hash.0 ^= 0x5555),
        tokens: asked[..hashed].to_vec(),
    };

    let mut indexes: Vec<Named> = Vec::new();
    build(&mut indexes, "kv-index", || smg::Chain::fill(&smg_hashes, holders));
    build(&mut indexes, "dynamo", || dynamo::Compressed::fill(&dynamo_hashes, holders));
    build(&mut indexes, "dynamo-radix", || dynamo::Radix::fill(&dynamo_hashes, holders));
    let levels = (bytes.len() / chunk) as u32;
    for (name, index) in &indexes {
        for i in 0..asked.smg.whole.len() {
            let found = [index.lookup(&asked, i), index.lookup_hashed(&asked, i), index.match_short(&asked, i)];
            assert_eq!(found, [levels, levels, levels / 3], "{name} finds what was inserted");
        }
    }
    println!("ready");
    io::stdout().flush()?;

    let mut turn = 0;
    for line in input.lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let [name, operation, calls] = words[..] else {
            return Err(io::Error::other("not NAME OPERATION CALLS"));
        };
        let index = &indexes.iter().find(|(own, _)| *own == name).ok_or_else(|| io::Error::other("no such index"))?.1;
        let calls: usize = calls.parse().map_err(io::Error::other)?;
        let mut next = || {
            turn = if turn + 1 == asked.smg.whole.len() { 0 } else { turn + 1 };
            turn
        };
        let call = match operation {
            "lookup" => Index::lookup,
            "lookup_hashed" => Index::lookup_hashed,
            "match_short" => Index::match_short,
            _ => return Err(io::Error::other("no such operation")),
        };
        let begun = Instant::now();
        for _ in 0..calls {
            black_box(call(&**index, &asked, next()));
        }
        println!("{}", begun.elapsed().as_nanos());
        io::stdout().flush()?;
    }
    Ok(())
}
