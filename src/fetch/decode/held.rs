//! A body as it is held until it is whole.
//!
//! Up to a few megabytes it lies there as it is. What is longer is packed again, so that a bomb, or a feed without end,
//! costs next to nothing until it is refused at `max_body`; a feed of that size is rare enough to be unpacked once more.

use std::io::{self, Read, Write};

use super::DecodeError;

/// Bytes that lie there as they are.
const PLAIN: usize = 4 << 20;
/// The fastest level.
const LEVEL: i32 = 1;

/// The bytes so far.
pub(super) struct Held {
    limit: u64,
    len: u64,
    plain: Vec<u8>,
    packed: Option<zstd::stream::write::Encoder<'static, Vec<u8>>>,
}

impl Held {
    /// Takes so many bytes at most.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, len: 0, plain: Vec::new(), packed: None }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn push(&mut self, input: &[u8]) -> Result<(), DecodeError> {
        self.len += input.len() as u64;
        if self.len > self.limit {
            return Err(DecodeError::TooLarge);
        }
        if self.packed.is_none() && self.plain.len() + input.len() <= PLAIN {
            self.plain.extend_from_slice(input);
            return Ok(());
        }
        let limit = self.limit;
        let packed = self.pack(input).map_err(|error| DecodeError::Broken(error.to_string()))?;
        // Text in any encoding, pictures in base64 included, takes less.
        if packed > limit / 4 * 3 { Err(DecodeError::NoText(packed)) } else { Ok(()) }
    }

    /// Packs the next bytes, and says how much is packed by now.
    fn pack(&mut self, input: &[u8]) -> io::Result<u64> {
        let mut encoder = match self.packed.take() {
            Some(encoder) => encoder,
            None => zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?,
        };
        encoder.write_all(input)?;
        let packed = encoder.get_ref().len() as u64;
        self.packed = Some(encoder);
        Ok(packed)
    }

    /// All of it.
    pub(super) fn whole(self) -> Result<Vec<u8>, DecodeError> {
        let Self { len, mut plain, packed, .. } = self;
        let Some(packed) = packed else { return Ok(plain) };
        let unpack = |plain: &mut Vec<u8>| {
            let packed = packed.finish()?;
            plain.reserve_exact(usize::try_from(len).unwrap_or(usize::MAX).saturating_sub(plain.len()));
            zstd::stream::read::Decoder::new(&packed[..])?.read_to_end(plain)
        };
        unpack(&mut plain).map_err(|error: io::Error| DecodeError::Broken(error.to_string()))?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that no packer makes smaller.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        std::iter::repeat_with(next).flatten().take(length).collect()
    }

    fn held(limit: u64, body: &[u8], piece: usize) -> Result<Vec<u8>, DecodeError> {
        let mut held = Held::new(limit);
        for piece in body.chunks(piece) {
            held.push(piece)?;
        }
        assert_eq!(held.len(), body.len() as u64);
        held.whole()
    }

    #[test]
    fn what_comes_out_is_what_came_in() {
        let text: Vec<u8> = (0..1_500_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for (body, piece) in [
            (&text[..0], 7),
            (&text[..100], 7),
            (&text[..PLAIN], 65_536),
            (&text[..=PLAIN], PLAIN),
            (&text[..PLAIN + 7], 7777),
            (&text, 16_384),
            (&text, text.len()),
        ] {
            assert!(held(16 << 20, body, piece).as_deref() == Ok(body), "{} {piece}", body.len());
        }
        // Up to the limit and not beyond.
        assert!(held(text.len() as u64, &text, 16_384).is_ok());
        assert_eq!(held(text.len() as u64 - 1, &text, 16_384), Err(DecodeError::TooLarge));
    }

    #[test]
    fn what_is_long_and_repeats_itself_costs_little() {
        let mut held = Held::new(1 << 30);
        let item = "<item><title>t</title></item>".repeat(1000);
        for _ in 0..2000 {
            held.push(item.as_bytes()).unwrap();
        }
        assert_eq!(held.len(), 58_000_000);
        assert!(held.plain.capacity() <= 2 * PLAIN);
        assert!(held.packed.as_ref().unwrap().get_ref().len() < 1 << 20);
    }

    #[test]
    fn a_film_in_place_of_a_feed_is_not_held() {
        let film = noise(30 << 20);
        assert!(matches!(held(32 << 20, &film, 65_536), Err(DecodeError::NoText(_))));
        let small = noise(12 << 20);
        assert!(held(16 << 20, &small, 65_536).as_deref() == Ok(&small[..]));
    }
}
