//! HMAC-SHA256 under one key, with both padded key blocks compressed once and kept (RFC 2104 section 4),
//! and the one-block HKDF-Expand built on it (RFC 5869 section 2.3).
//! Owns the only HMAC of the program: a validated module takes its place behind [`Prf`] (decision 24).
//! The keyed states are wiped on drop, and so is what a MAC ran through; `compress256` keeps its words
//! in registers and on the stack, which are the crate's. The `hmac` crate leaves each derived key on the
//! stack, and takes a sixth longer. Tests hold this one against that crate and against Wycheproof.

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// SHA-256's block, in bytes.
const BLOCK: usize = 64;

/// The initial hash value of SHA-256, FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A keyed HMAC-SHA256, ready to be used any number of times.
pub(super) struct Prf(Box<States>);

/// On the heap: what is moved with its owner leaves no copy behind.
struct States {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Drop for States {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl ZeroizeOnDrop for States {}

impl Prf {
    /// Keys it with 32 bytes.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let mut block = Zeroizing::new([0u8; BLOCK]);
        block[..32].copy_from_slice(key);
        Self::from_block(&block)
    }

    /// Keys it with a key already filled up with zeros, or hashed, to one block.
    pub(super) fn from_block(key: &[u8; BLOCK]) -> Self {
        let mut states = Box::new(States {
            inner: INITIAL,
            outer: INITIAL,
        });
        let States { inner, outer } = &mut *states;
        let mut block = Zeroizing::new([0u8; BLOCK]);
        for (state, pad) in [(inner, 0x36), (outer, 0x5c)] {
            for (padded, byte) in block.iter_mut().zip(key) {
                *padded = byte ^ pad;
            }
            compress256(state, std::slice::from_ref(&*block));
        }
        Self(states)
    }

    /// HMAC-SHA256 of the parts, joined.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = [0; 32];
        self.mac_into(parts, &mut mac);
        mac
    }

    /// `Expand(k, label, info)`, the first block of HKDF-Expand under `label ‖ 0x00 ‖ info`, into a
    /// buffer of the caller's: an array that is returned may stay behind where it was made.
    pub(super) fn expand(&self, label: &[u8], info: &[u8], key: &mut [u8; 32]) {
        self.mac_into(&[label, &[0x00], info, &[0x01]], key);
    }

    fn mac_into(&self, parts: &[&[u8]], mac: &mut [u8; 32]) {
        let mut running = Running::new();
        running.begin(&self.0.inner);
        for part in parts {
            running.update(part);
        }
        running.finish(mac);
        running.begin(&self.0.outer);
        running.update(mac);
        running.finish(mac);
    }
}

/// A SHA-256 that has already taken one block: the padded key. Wiped on drop, since what it has taken
/// may be a value, and its state gives a key away.
struct Running {
    state: [u32; 8],
    block: [u8; BLOCK],
    filled: usize,
    total_bytes: u64,
}

impl Running {
    fn new() -> Self {
        Self {
            state: [0; 8],
            block: [0; BLOCK],
            filled: 0,
            total_bytes: 0,
        }
    }

    /// Begins anew, after one block.
    fn begin(&mut self, state: &[u32; 8]) {
        self.state.copy_from_slice(state);
        self.filled = 0;
        self.total_bytes = BLOCK as u64;
    }

    #[inline]
    fn update(&mut self, mut bytes: &[u8]) {
        self.total_bytes += bytes.len() as u64;
        let free = BLOCK - self.filled;
        if bytes.len() >= free {
            let (head, rest) = bytes.split_at(free);
            self.block[self.filled..].copy_from_slice(head);
            compress256(&mut self.state, std::slice::from_ref(&self.block));
            let (blocks, tail) = rest.as_chunks::<BLOCK>();
            compress256(&mut self.state, blocks);
            self.filled = 0;
            bytes = tail;
        }
        self.block[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    /// Pads as FIPS 180-4 section 5.1.1 does: 0x80, zeros, the length in bits.
    #[inline]
    fn finish(&mut self, digest: &mut [u8; 32]) {
        self.block[self.filled] = 0x80;
        self.block[self.filled + 1..].fill(0);
        if self.filled + 1 > BLOCK - 8 {
            compress256(&mut self.state, std::slice::from_ref(&self.block));
            self.block.fill(0);
        }
        self.block[BLOCK - 8..].copy_from_slice(&(self.total_bytes * 8).to_be_bytes());
        compress256(&mut self.state, std::slice::from_ref(&self.block));
        for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // In two wide stores: `zeroize` would write the bytes one by one, once for each value.
        self.state = [0; 8];
        self.block = [0; BLOCK];
        zeroize::optimization_barrier(self);
    }
}

impl ZeroizeOnDrop for Running {}
