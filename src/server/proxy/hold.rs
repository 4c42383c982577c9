//! The hold of a stream: how long another provider may still stand in (gateway.md §7).
//!
//! A `200` of an event stream promises nothing yet: overloaded providers send it and then an error
//! event, or nothing. So its head is kept back until the first event that bears output. Pure: bytes
//! in, a ruling out, the same for any split of them.

pub mod fault;
pub mod meaning;
pub mod scan;

use self::{fault::Fault, meaning::Meaning, scan::Scanner};
use super::dialect::Dialect;

/// Events that may pass without output.
const EVENTS: u32 = 64;
/// Bytes that are held at most.
pub const BYTES: usize = 256 * 1024;

/// What is to be done with what was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Hold it, and wait for more.
    Wait,
    /// Pass it on: there is output, or the hold is at its limit.
    Release,
    /// The provider failed.
    Fault(Fault),
    /// The stream ended without output.
    Empty,
}

/// The hold of one stream.
#[derive(Debug)]
pub struct Hold {
    dialect: Dialect,
    scanner: Scanner,
    events: u32,
    bytes: usize,
}

impl Hold {
    /// A hold that has seen nothing.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, scanner: Scanner::default(), events: 0, bytes: 0 }
    }

    /// Looks at the next bytes. Anything but [`Ruling::Wait`] ends the hold.
    pub fn feed(&mut self, bytes: &[u8]) -> Ruling {
        // What lies beyond the limit is not looked at, or the split would matter.
        let mut left = &bytes[..bytes.len().min(BYTES - self.bytes)];
        self.bytes += left.len();
        while let Some(event) = self.scanner.next(&mut left) {
            match meaning::of(self.dialect, event) {
                Meaning::Ignorable => self.events += 1,
                Meaning::Output => return Ruling::Release,
                Meaning::Error(fault) => return Ruling::Fault(fault),
                Meaning::End => return Ruling::Empty,
            }
            if self.events >= EVENTS {
                return Ruling::Release;
            }
        }
        if self.bytes >= BYTES { Ruling::Release } else { Ruling::Wait }
    }

    /// The stream has ended; never [`Ruling::Wait`].
    pub fn end(&mut self) -> Ruling {
        match self.scanner.finish().map(|event| meaning::of(self.dialect, event)) {
            Some(Meaning::Output) => Ruling::Release,
            Some(Meaning::Error(fault)) => Ruling::Fault(fault),
            Some(Meaning::Ignorable | Meaning::End) | None => Ruling::Empty,
        }
    }
}

/// The ruling about a whole stream that comes in these parts; also the target of the fuzzer.
pub fn rule<'a>(dialect: Dialect, parts: impl IntoIterator<Item = &'a [u8]>) -> Ruling {
    let mut hold = Hold::new(dialect);
    for part in parts {
        match hold.feed(part) {
            Ruling::Wait => {}
            ruling => return ruling,
        }
    }
    hold.end()
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n";

    fn whole(dialect: Dialect, stream: &str) -> Ruling {
        rule(dialect, [stream.as_bytes()])
    }

    #[test]
    fn output_releases_and_what_comes_before_does_not() {
        let mut hold = Hold::new(Dialect::Chat);
        assert_eq!(hold.feed(b": PROCESSING\n\n"), Ruling::Wait);
        assert_eq!(hold.feed(ROLE.as_bytes()), Ruling::Wait);
        assert_eq!(hold.feed(HELLO.as_bytes()), Ruling::Release);
    }

    #[test]
    fn an_error_counts_only_before_output() {
        let error = "data: {\"error\":{\"code\":429}}\n\n";
        assert!(matches!(whole(Dialect::Chat, &format!("{ROLE}{error}")), Ruling::Fault(_)));
        assert_eq!(whole(Dialect::Chat, &format!("{HELLO}{error}")), Ruling::Release);
        assert!(matches!(whole(Dialect::Chat, error.trim_end()), Ruling::Fault(_)), "also without its blank line");
    }

    #[test]
    fn a_stream_that_ends_without_output_is_empty() {
        for stream in ["", ": hi\n\n", "data: [DONE]\n\n", ROLE] {
            assert_eq!(whole(Dialect::Chat, stream), Ruling::Empty, "{stream}");
        }
        let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        assert_eq!(whole(Dialect::Anthropic, stop), Ruling::Empty);
    }

    #[test]
    fn a_hold_ends_after_64_events_and_256_kib() {
        let pings = "data: {\"type\":\"ping\"}\n\n".repeat(64);
        assert_eq!(whole(Dialect::Anthropic, &pings), Ruling::Release);
        assert_eq!(whole(Dialect::Anthropic, &pings[..pings.len() - 2]), Ruling::Empty);
        let comments = ": wait\n\n".repeat(BYTES / 8);
        assert_eq!(whole(Dialect::Chat, &comments), Ruling::Release);
        assert_eq!(whole(Dialect::Chat, &comments[..BYTES - 8]), Ruling::Empty);
        assert_eq!(whole(Dialect::Chat, &"x".repeat(BYTES)), Ruling::Release, "one line without an end");
    }

    #[test]
    fn an_unknown_schema_is_released_by_its_first_data() {
        assert_eq!(whole(Dialect::Unknown, ": hi\n\ndata: tick\n\n"), Ruling::Release);
        assert!(matches!(whole(Dialect::Unknown, "event: error\ndata: no\n\n"), Ruling::Fault(_)));
    }

    fn dialects() -> impl Strategy<Value = Dialect> {
        prop::sample::select(Dialect::ALL.to_vec())
    }

    /// Pieces that mean something in some dialect, line ends of every kind, and noise.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                ROLE,
                HELLO,
                "data: [DONE]",
                "data:",
                "event: error",
                "data: {\"type\":\"ping\"}",
                "\r",
                "\n",
                "\r\n",
                "\n\n",
                "\r\n\r\n",
                ": note",
                "\u{feff}",
                "data: {\"error\":{\"code\":503}}",
                "data: {\"type\":\"message_stop\"}",
                "data: {\"candidates\":[]}",
                "data: {\"type\":\"response.created\"}",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(prop::num::u8::ANY, 0..12),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_split_of_the_bytes_changes_no_ruling(dialect in dialects(), stream in streams(), size in 1_usize..9) {
            let whole = rule(dialect, [stream.as_slice()]);
            prop_assert!(whole != Ruling::Wait);
            prop_assert_eq!(&rule(dialect, stream.chunks(1)), &whole);
            prop_assert_eq!(&rule(dialect, stream.chunks(size)), &whole);
        }
    }
}
