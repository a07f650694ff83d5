//! Undoes the `Content-Encoding` of a body while it streams.
//!
//! The HTTP client could do so, too, but not within bounds: it knows no limit for the window of zstd, which a few
//! bytes can make larger than 100 MB, and leaves `gzip, gzip` as it is. Here each piece goes through all codings in
//! blocks of fixed size, so that no body costs more than its windows and what the sink takes.

mod held;

use std::io;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation};

use self::held::Held;

/// What is asked for; [`Decoder::new`] undoes each of them.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";
/// More codings upon one another serve no reader.
const MAX_CODINGS: usize = 3;
/// What a coding writes at a time, in bytes.
const BLOCK: usize = 16 << 10;
/// The largest window of zstd as a power of two: the 8 MiB that RFC 9659 allows on the web.
const ZSTD_WINDOW: u32 = 23;
/// Of a gzip stream and of zlib, as a power of two: all there is.
const ZLIB_WINDOW: u8 = 15;

/// Why a body cannot be undone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// It is not what its header says.
    Broken(String),
    /// More comes out than allowed.
    TooLarge,
    /// It ends early.
    Cut,
    /// So many bytes of it cannot be text.
    NoText(u64),
}

/// A body on its way.
pub(super) struct Decoder {
    /// The one to be undone first comes first.
    stages: Vec<Stage>,
    sink: Held,
}

impl Decoder {
    /// Takes the values of `Content-Encoding`, and how much may come out. Codings that nobody knows leave the body as
    /// it is: they are mostly charsets and other mistakes.
    pub(super) fn new<'a>(encodings: impl Iterator<Item = &'a str>, limit: u64) -> Result<Self, DecodeError> {
        let sink = Held::new(limit);
        let names = encodings.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
        let names: Vec<_> = names.filter(|name| !matches!(name.as_str(), "" | "identity")).collect();
        if names.len() > MAX_CODINGS {
            return Err(DecodeError::Broken(format!("it is compressed {} times over", names.len())));
        }
        let codings: Option<Vec<_>> = names.iter().rev().map(|name| Coding::named(name)).collect();
        let codings = codings.unwrap_or_default();
        let stages = codings.into_iter().enumerate().map(|(n, coding)| Stage::new(coding, n > 0));
        Ok(Self { stages: stages.collect(), sink })
    }

    /// False for a body that stays as it is.
    pub(super) fn is_undoing(&self) -> bool {
        !self.stages.is_empty()
    }

    /// Takes the next bytes as they came.
    pub(super) fn push(&mut self, input: &[u8]) -> Result<(), DecodeError> {
        push(&mut self.stages, input, &mut self.sink)
    }

    /// How much came out so far.
    pub(super) fn len(&self) -> u64 {
        self.sink.len()
    }

    /// The whole body, if it is whole.
    pub(super) fn finish(self) -> Result<Vec<u8>, DecodeError> {
        if self.stages.iter().any(|stage| stage.state == State::Inside) {
            return Err(DecodeError::Cut);
        }
        self.sink.whole()
    }
}

/// Sends bytes through the stages that are left. Each block goes all the way before the next is made.
fn push(stages: &mut [Stage], mut input: &[u8], sink: &mut Held) -> Result<(), DecodeError> {
    let Some((stage, rest)) = stages.split_first_mut() else {
        return sink.push(input);
    };
    while !input.is_empty() || stage.is_full {
        if !stage.opens(input)? {
            return if stage.state == State::Bare { push(rest, input, sink) } else { Ok(()) };
        }
        let Some(coding) = &mut stage.running else { return Ok(()) };
        let step = coding.step(input, &mut stage.block).map_err(DecodeError::Broken)?;
        input = input.get(step.read..).unwrap_or_default();
        stage.is_full = !step.ended && step.written == stage.block.len();
        if step.ended {
            stage.state = State::Between;
        }
        push(rest, stage.block.get(..step.written).unwrap_or_default(), sink)?;
        if step.read == 0 && step.written == 0 && !step.ended {
            // Neither taking nor giving: what is there means nothing.
            return if input.is_empty() { Ok(()) } else { Err(DecodeError::Broken("it makes no sense".to_owned())) };
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing came yet.
    Before,
    /// In the middle of a stream.
    Inside,
    /// A stream has ended; another may follow, as gzip members and zstd frames do.
    Between,
    /// What follows is padding.
    Over,
    /// The header names this coding twice, and once it was done.
    Bare,
}

/// One coding of a body.
struct Stage {
    coding: Coding,
    /// A body that was already undone once may not be compressed again, whatever the header says.
    may_be_bare: bool,
    running: Option<Running>,
    state: State,
    block: Box<[u8]>,
    /// The last block was full, so there may be more without further input.
    is_full: bool,
}

impl Stage {
    fn new(coding: Coding, may_be_bare: bool) -> Self {
        let block = vec![0; BLOCK].into_boxed_slice();
        Self { coding, may_be_bare, running: None, state: State::Before, block, is_full: false }
    }

    /// Gets ready for the next bytes; false when they are none of this coding's.
    fn opens(&mut self, input: &[u8]) -> Result<bool, DecodeError> {
        let Some(&first) = input.first() else { return Ok(self.state == State::Inside) };
        match self.state {
            State::Inside => return Ok(true),
            State::Over | State::Bare => return Ok(false),
            State::Before if self.may_be_bare && !self.coding.begins_with(first) => {
                self.state = State::Bare;
                return Ok(false);
            }
            State::Between if !self.coding.repeats() || !self.coding.begins_with(first) => {
                self.state = State::Over;
                return Ok(false);
            }
            State::Before | State::Between => {}
        }
        match &mut self.running {
            // A new one for each of a million empty members would keep the processor busy.
            Some(Running::Flate(inner)) => inner.reset(true),
            // It begins the next frame by itself.
            Some(_) => {}
            None => self.running = Some(self.coding.open(first).map_err(|e| DecodeError::Broken(e.to_string()))?),
        }
        self.state = State::Inside;
        Ok(true)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// Whether a stream of this coding can begin with a byte.
    fn begins_with(self, byte: u8) -> bool {
        match self {
            Self::Gzip => byte == 0x1f,
            // A frame, or one that is to be skipped.
            Self::Zstd => byte == 0x28 || (0x50..=0x5f).contains(&byte),
            Self::Deflate | Self::Brotli => true,
        }
    }

    /// Whether another stream may follow the first.
    fn repeats(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd)
    }

    fn open(self, first: u8) -> io::Result<Running> {
        Ok(match self {
            Self::Gzip => Running::Flate(Decompress::new_gzip(ZLIB_WINDOW)),
            // Many servers leave out the zlib frame, whose first byte names method and window.
            Self::Deflate => Running::Flate(Decompress::new(first & 0x8f == 0x08)),
            Self::Brotli => {
                let alloc = StandardAlloc::default;
                Running::Brotli(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
            }
            Self::Zstd => {
                let mut decoder = ZstdDecoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
                Running::Zstd(decoder)
            }
        })
    }
}

/// A stream being undone.
enum Running {
    Flate(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(ZstdDecoder<'static>),
}

/// What one step did.
struct Step {
    read: usize,
    written: usize,
    ended: bool,
}

impl Running {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        match self {
            Self::Flate(inner) => {
                let (read, written) = (inner.total_in(), inner.total_out());
                let status = inner.decompress(input, output, FlushDecompress::None).map_err(|e| e.to_string())?;
                let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(0);
                Ok(Step {
                    read: since(inner.total_in(), read),
                    written: since(inner.total_out(), written),
                    ended: status == Status::StreamEnd,
                })
            }
            Self::Brotli(state) => {
                let (mut left, mut read, mut room, mut written, mut total) = (input.len(), 0, output.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut left,
                    &mut read,
                    input,
                    &mut room,
                    &mut written,
                    output,
                    &mut total,
                    state,
                );
                if matches!(result, BrotliResult::ResultFailure) {
                    return Err("its brotli stream is broken".to_owned());
                }
                Ok(Step { read, written, ended: matches!(result, BrotliResult::ResultSuccess) })
            }
            Self::Zstd(inner) => {
                let status = inner.run_on_buffers(input, output).map_err(|error| error.to_string())?;
                Ok(Step { read: status.bytes_read, written: status.bytes_written, ended: status.remaining == 0 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8], window: u32) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn undone(encoding: &str, bytes: &[u8], limit: u64) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(std::iter::once(encoding), limit)?;
        // In pieces, because that is how a body comes.
        for piece in bytes.chunks(7) {
            decoder.push(piece)?;
        }
        decoder.finish()
    }

    #[test]
    fn codings_upon_one_another_are_undone() {
        let once = gzip(b"<rss/>");
        let long: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for (encoding, bytes, expected) in [
            ("gzip, gzip", gzip(&once), &b"<rss/>"[..]),
            ("gzip,gzip,gzip", gzip(&gzip(&once)), b"<rss/>"),
            ("gzip, zstd", zstd(&once, 20), b"<rss/>"),
            ("zstd, identity, X-GZIP", gzip(&zstd(b"<rss/>", 20)), b"<rss/>"),
            // Named twice and done once.
            ("gzip, gzip", once.clone(), b"<rss/>"),
            ("gzip", gzip(&long), &long),
            ("gzip, gzip", gzip(&gzip(&long)), &long),
            ("zstd", zstd(&long, 23), &long),
            ("utf-8", b"<rss/>".to_vec(), b"<rss/>"),
            ("", once.clone(), &once),
        ] {
            assert!(undone(encoding, &bytes, MIB).as_deref() == Ok(expected), "{encoding}");
        }
        let many = undone("gzip, gzip, gzip, gzip", &once, MIB);
        assert_eq!(many, Err(DecodeError::Broken("it is compressed 4 times over".to_owned())));
    }

    #[test]
    fn members_follow_one_another_and_padding_is_none() {
        let two = [gzip(b"<rss>"), gzip(b"</rss>")].concat();
        assert_eq!(undone("gzip", &two, MIB).as_deref(), Ok(&b"<rss></rss>"[..]));
        assert_eq!(undone("gzip", &[&two[..], &[0; 512]].concat(), MIB).as_deref(), Ok(&b"<rss></rss>"[..]));
        assert_eq!(undone("gzip", &two[..two.len() - 1], MIB), Err(DecodeError::Cut));
        let two = [zstd(b"<rss>", 20), zstd(b"</rss>", 20)].concat();
        assert_eq!(undone("zstd", &two, MIB).as_deref(), Ok(&b"<rss></rss>"[..]));
        assert_eq!(undone("zstd", &two[..two.len() - 1], MIB), Err(DecodeError::Cut));
    }

    #[test]
    fn no_more_comes_out_than_allowed() {
        let zeros = vec![0; 4 << 20];
        assert_eq!(undone("gzip", &gzip(&zeros), MIB), Err(DecodeError::TooLarge));
        assert_eq!(undone("gzip, gzip", &gzip(&gzip(&zeros)), MIB), Err(DecodeError::TooLarge));
        assert_eq!(undone("zstd", &zstd(&zeros, 20), MIB), Err(DecodeError::TooLarge));
        assert_eq!(undone("gzip", &gzip(&zeros), 4 << 20), Ok(zeros));
    }

    #[test]
    fn a_window_larger_than_the_webs_is_refused() {
        let zeros = vec![0; 32 << 20];
        let refused = undone("zstd", &zstd(&zeros, 24), 64 << 20);
        assert!(matches!(&refused, Err(DecodeError::Broken(_))), "{refused:?}");
    }
}
