//! Which trace a request belongs to (W3C Trace Context, level 1).
//!
//! Ids are made of the request's own id, so nothing is drawn and nothing is kept while the request
//! runs: a trace that begins here has the digits of `X-Request-Id`, and the span of an attempt, which
//! the provider is told before it is written down, is computed again from its number.

use super::id::RequestId;

/// `traceparent`.
pub const TRACEPARENT: &str = "traceparent";
/// `tracestate`: worth nothing without a `traceparent` that can be read.
pub const TRACESTATE: &str = "tracestate";

/// Which traces are sampled: the names of `OTEL_TRACES_SAMPLER`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether the decision of a caller that sent one is kept.
    pub by_parent: bool,
    /// The share of all others, 0 to 1.
    pub share: f64,
}

impl Default for Sampler {
    /// `parentbased_always_on`.
    fn default() -> Self {
        Self { by_parent: true, share: 1.0 }
    }
}

impl Sampler {
    fn samples(self, trace_id: u128, parent: Option<Parent>) -> bool {
        match parent {
            Some(parent) if self.by_parent => parent.sampled,
            // The last seven bytes are random in every version of the standard; all nodes decide alike.
            _ => (trace_id as u64 & RANDOM) as f64 / ((RANDOM + 1) as f64) < self.share,
        }
    }
}

const RANDOM: u64 = (1 << 56) - 1;

/// What the caller said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

impl Parent {
    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`; a later version may say more behind it (§3.2.4).
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(5, '-');
        let mut hex = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let lower = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            lower.then_some(part).and_then(|part| u128::from_str_radix(part, 16).ok())
        };
        let (version, trace_id, span_id, flags) = (hex(2)?, hex(32)?, hex(16)? as u64, hex(2)?);
        let whole = version != 0xff && (version != 0 || parts.next().is_none());
        (whole && trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }
}

/// The place of one request in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace: the caller's, or one that begins here.
    pub trace_id: u128,
    /// The request's own span.
    pub span_id: u64,
    /// The caller's span.
    pub parent: Option<u64>,
    /// Whether spans are written.
    pub sampled: bool,
}

impl Trace {
    /// The place of this request; `told` is the caller's `traceparent`, if there was one.
    pub fn of(request: RequestId, told: Option<&str>, sampler: Sampler) -> Self {
        let parent = told.and_then(Parent::parse);
        let own = request.0.as_u128();
        let trace_id = parent.map_or(own, |parent| parent.trace_id);
        let sampled = sampler.samples(trace_id, parent);
        Self { trace_id, span_id: spread(own as u64), parent: parent.map(|parent| parent.span_id), sampled }
    }

    /// The span of an attempt, by its number from 0.
    pub fn attempt(&self, number: usize) -> u64 {
        spread(self.span_id.wrapping_add(number as u64 + 1))
    }

    /// `traceparent` for the provider of an attempt.
    pub fn told(&self, number: usize) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.attempt(number), u8::from(self.sampled))
    }
}

/// A number that looks like no other and is not 0 (the finalizer of SplitMix64).
fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TOLD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn request() -> RequestId {
        RequestId(Uuid::from_u128(0x0190_a0b0_c0d0_7000_8123_4567_89ab_cdef))
    }

    #[test]
    fn the_callers_trace_goes_on() {
        let trace = Trace::of(request(), Some(TOLD), Sampler::default());
        assert_eq!(trace.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((trace.parent, trace.sampled), (Some(0x00f0_67aa_0ba9_02b7), true));
        let told = trace.told(1);
        assert_eq!(told, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", trace.attempt(1)));
        assert_eq!(Parent::parse(&told).expect("readable").span_id, trace.attempt(1));
    }

    #[test]
    fn a_trace_that_begins_here_has_the_digits_of_the_request_id() {
        let trace = Trace::of(request(), None, Sampler::default());
        assert_eq!((trace.trace_id, trace.parent, trace.sampled), (request().0.as_u128(), None, true));
        let spans = [trace.span_id, trace.attempt(0), trace.attempt(1)];
        assert!(spans[0] != spans[1] && spans[1] != spans[2] && spans[0] != spans[2], "{spans:?}");
    }

    #[test]
    fn what_cannot_be_read_begins_a_trace_and_a_later_version_is_read() {
        for odd in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::of(request(), Some(odd), Sampler::default()).parent, None, "{odd}");
        }
        assert!(Parent::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }

    #[test]
    fn a_caller_that_does_not_sample_is_not_sampled_unless_the_sampler_says_so() {
        let quiet = TOLD.replace("-01", "-00");
        let sampled = |sampler| Trace::of(request(), Some(&quiet), sampler).sampled;
        assert!(!sampled(Sampler::default()));
        assert!(sampled(Sampler { by_parent: false, share: 1.0 }));
    }

    #[test]
    fn a_share_of_the_traces_is_about_that_share() {
        let sampler = Sampler { by_parent: true, share: 0.25 };
        let of = |n: u64| Trace::of(RequestId(Uuid::from_u128(spread(n).into())), None, sampler).sampled;
        let sampled = (0..10_000).filter(|n| of(*n)).count();
        assert!((2_300..2_700).contains(&sampled), "{sampled}");
        for (share, wanted) in [(0.0, 0), (1.0, 1_000)] {
            let of = |n: u64| Trace::of(RequestId(Uuid::from_u128(n.into())), None, Sampler { by_parent: true, share });
            assert_eq!((0..1_000).filter(|n| of(*n).sampled).count(), wanted);
        }
    }
}
