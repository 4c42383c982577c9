//! The events of a stream, each `data:` line a JSON document of its own, in any split.
//!
//! Lines end with CR, LF or CRLF. A datum over several lines, which none of these providers sends, tells
//! nothing. A line that is here as a whole and does not have the word is passed over: one search for each
//! event is all that most of them cost.

use memchr::{memchr2, memmem};

use super::{count::Tally, json::Finder};

const DATA: &[u8] = b"data:";
const WORD: &[u8] = b"usage";

/// Follows one stream.
#[derive(Debug, Default)]
pub(super) struct Events {
    at: At,
    finder: Finder,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the name of a field, which begins with so many bytes of `data:`.
    Field(usize),
    /// At the beginning of a datum.
    Datum,
    /// Further on in it.
    Within,
    /// In a line that means nothing here.
    Other,
}

impl Default for At {
    fn default() -> Self {
        Self::Field(0)
    }
}

impl Events {
    /// `data:` lines so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The next bytes; what is found goes to the tally.
    pub(super) fn feed(&mut self, bytes: &[u8], tally: &mut Tally) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.at {
                At::Field(matched) => self.field(rest, matched),
                At::Datum | At::Within | At::Other => self.line(rest, tally),
            };
        }
    }

    fn field<'a>(&mut self, rest: &'a [u8], matched: usize) -> &'a [u8] {
        let more = DATA[matched..].iter().zip(rest).take_while(|(wanted, byte)| wanted == byte).count();
        let rest = &rest[more..];
        match rest.first() {
            _ if matched + more == DATA.len() => {
                self.count += 1;
                self.finder.restart();
                self.at = At::Datum;
                rest
            }
            None => {
                self.at = At::Field(matched + more);
                rest
            }
            Some(b'\n' | b'\r') => {
                self.at = At::Field(0);
                &rest[1..]
            }
            Some(_) => {
                self.at = At::Other;
                rest
            }
        }
    }

    fn line<'a>(&mut self, rest: &'a [u8], tally: &mut Tally) -> &'a [u8] {
        let end = memchr2(b'\n', b'\r', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        let passed_over = self.at == At::Datum && end.is_some() && !may_tell(line);
        if self.at != At::Other && !passed_over {
            self.finder.feed(line, tally);
        }
        match end {
            Some(end) => {
                self.at = At::Field(0);
                &rest[end + 1..]
            }
            None => {
                self.at = if self.at == At::Other { At::Other } else { At::Within };
                &[]
            }
        }
    }
}

/// Whether there is the word, and more behind it than `":null`, which OpenAI writes into every event but one.
pub(super) fn may_tell(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, WORD).any(|at| !bytes[at + WORD.len()..].starts_with(b"\":null"))
}
