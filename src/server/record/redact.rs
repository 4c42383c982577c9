//! Takes secrets out of the text of a body before it is stored.
//!
//! A body is what a client or a provider wrote: JSON, JSON inside of a string of JSON, a form, prose, and often only
//! its beginning. So nothing is parsed. Words are looked at one by one: a word that names a secret hides its value
//! (`"api_key": "…"`, `password=…`), and a word that looks like one hides itself (`sk-…`, `Bearer …`, a private key).
//! What is cut off at the end of the text counts as found: the rest of a value would have followed. Hiding too much
//! costs a reader a word, hiding too little costs a key.

use std::ops::Range;

/// What stands in the place of a secret.
pub const MARK: &str = "(redacted)";
/// Longest name of a value, bytes.
const NAME: usize = 80;
/// Bytes between a private key's BEGIN and the end of that line.
const PEM_LINE: usize = 64;

/// What names of secrets end with, in small letters and without `_` and `-`: `OPENAI_API_KEY`, `X-Auth-Token`.
const NAMES: [&[u8]; 21] = [
    b"apikey",
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"passphrase",
    b"privatekey",
    b"secretkey",
    b"accesskey",
    b"authorization",
    b"credential",
    b"credentials",
    b"connectionstring",
    b"accountkey",
    b"subscriptionkey",
    b"signingkey",
    b"encryptionkey",
    b"masterkey",
    // `tokens` is none: `max_tokens` is no secret.
    b"apikeys",
    b"secrets",
    b"passwords",
];
/// Names that are secrets only as a whole word.
const WHOLE_NAMES: [&[u8]; 3] = [b"pwd", b"cookie", b"setcookie"];
/// Words in front of a secret in a header's value.
const SCHEMES: [&[u8]; 5] = [b"bearer", b"basic", b"digest", b"token", b"bot"];
/// Values that are none.
const NOTHING: [&[u8]; 6] = [b"null", b"true", b"false", b"none", b"undefined", b"nil"];

/// How keys of the services that people use begin, and how many letters at least follow: ours first.
const KEYS: [(&[u8], usize); 31] = [
    (b"rd_", 20),
    (b"rdadm_", 20),
    (b"sk-", 16),
    (b"rk-", 16),
    (b"pk-", 20),
    (b"sk_live_", 16),
    (b"sk_test_", 16),
    (b"rk_live_", 16),
    (b"rk_test_", 16),
    (b"AIza", 20),
    (b"ya29", 20),
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghu_", 20),
    (b"ghs_", 20),
    (b"ghr_", 20),
    (b"github_pat_", 20),
    (b"glpat-", 16),
    (b"xoxb-", 10),
    (b"xoxp-", 10),
    (b"xoxa-", 10),
    (b"xapp-", 10),
    (b"AKIA", 12),
    (b"ASIA", 12),
    (b"hf_", 20),
    (b"gsk_", 20),
    (b"xai-", 20),
    (b"r8_", 20),
    (b"nvapi-", 20),
    (b"pplx-", 20),
    (TOKEN, 20),
];
/// How a JSON Web Token begins: `{"` in base64.
const TOKEN: &[u8] = b"eyJ";
/// First letters of all of them.
const BEGINNINGS: &[u8] = b"rspAyghxne";
/// Shortest key in the middle of a text, bytes.
const SHORTEST: usize = 13;

/// The text without the secrets that can be recognised in it, and how many were taken out. Takes time in proportion to
/// the text, and leaves at most three times as much of it.
pub fn redact(text: &str) -> (String, u32) {
    let mut scan = Scan { text, bytes: text.as_bytes(), out: String::with_capacity(text.len()), copied: 0, found: 0 };
    let mut at = 0;
    while at < scan.bytes.len() {
        let secret = if is_word(scan.bytes[at]) {
            let end = scan.word_end(at);
            let secret = scan.secret(at, end);
            at = end;
            secret
        } else {
            // Some write JSON with escaped slashes.
            let signs: [&[u8]; 2] = [b"://", br":\/\/"];
            let sign = signs.into_iter().find(|sign| scan.bytes[at..].starts_with(sign));
            let secret = sign.and_then(|sign| scan.password(at + sign.len()));
            at += 1;
            secret
        };
        if let Some(secret) = secret {
            at = at.max(secret.end);
            scan.hide(secret);
        }
    }
    scan.out.push_str(&text[scan.copied..]);
    (scan.out, scan.found)
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    out: String,
    /// How far the text has been copied or hidden.
    copied: usize,
    found: u32,
}

impl Scan<'_> {
    /// Ranges begin and end beside ASCII, or at the end of the text.
    fn hide(&mut self, secret: Range<usize>) {
        self.out.push_str(&self.text[self.copied..secret.start]);
        self.out.push_str(MARK);
        self.copied = secret.end;
        self.found += 1;
    }

    fn word_end(&self, from: usize) -> usize {
        self.end_of(from, is_word)
    }

    /// Where the run of such bytes ends.
    fn end_of(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
    }

    /// What is to be hidden because of this word: its value, what follows it, or itself.
    fn secret(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let inner = start + self.escape(start, end);
        let named = self.value_of(start, end).or_else(|| (inner > start).then(|| self.value_of(inner, end)).flatten());
        named
            .or_else(|| self.key(start, inner, end))
            .or_else(|| self.behind_scheme(&self.bytes[start..end], end))
            .or_else(|| self.behind_scheme(&self.bytes[inner..end], end))
            .or_else(|| self.private_key(start, end))
    }

    /// How much of the word's beginning belongs to an escape in front of it: `\n`, `\u0022`, `%22`.
    fn escape(&self, start: usize, end: usize) -> usize {
        let word = &self.bytes[start..end];
        let hex = |count: usize, from: usize| {
            word.get(from..from + count).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match (start.checked_sub(1).map(|at| self.bytes[at]), word.first()) {
            (Some(b'\\'), Some(b'u')) if hex(4, 1) => 5,
            (Some(b'\\'), Some(b'n' | b'r' | b't' | b'b' | b'f')) => 1,
            (Some(b'%'), _) if hex(2, 0) => 2,
            _ => 0,
        }
    }

    /// The value behind a word that names a secret; an empty one, and one that is none, stay.
    fn value_of(&self, start: usize, end: usize) -> Option<Range<usize>> {
        if end - start > NAME {
            return None;
        }
        let (quoted, separator) = self.separator(end).or_else(|| self.argument(start, end))?;
        if !names_secret(&self.bytes[start..end]) {
            return None;
        }
        let is_space = |byte: u8| matches!(byte, b' ' | b'\t') || (quoted && matches!(byte, b'\r' | b'\n'));
        let at = self.end_of(separator, is_space);
        let at = if self.bytes[at..].starts_with(b"%20") { at + 3 } else { at };
        let slashes = self.slashes(at);
        let value = match self.bytes.get(at + slashes) {
            Some(quote @ (b'"' | b'\'')) => {
                let inside = at + slashes + 1;
                inside..self.closing(inside, *quote, slashes)
            }
            Some(open @ (b'{' | b'[')) if slashes == 0 => at..self.balanced(at, *open),
            _ => at..self.bare(at, &self.bytes[start..end]),
        };
        let word = &self.bytes[value.clone()];
        let nothing = word.is_empty() || NOTHING.iter().any(|none| word.eq_ignore_ascii_case(none));
        (!nothing).then_some(value)
    }

    /// `--password hunter2`: behind dashes a space is sign enough.
    fn argument(&self, start: usize, end: usize) -> Option<(bool, usize)> {
        let at = self.end_of(end, |byte| byte == b' ');
        (at > end && self.bytes[start..end].starts_with(b"--")).then_some((false, at))
    }

    /// Behind a name: whether it was quoted, and where the value's side of the `:` or `=` begins.
    fn separator(&self, end: usize) -> Option<(bool, usize)> {
        let slashes = self.slashes(end);
        let rest = self.bytes.get(end + slashes..).unwrap_or_default();
        let (quoted, at) = match rest {
            // `environ["API_KEY"] = …`
            [b'"' | b'\'', b']', ..] => (true, end + slashes + 2),
            [b'"' | b'\'', ..] => (true, end + slashes + 1),
            [b'u', b'0', b'0', b'2', b'2', ..] if slashes > 0 => (true, end + slashes + 5),
            [b'%', b'2', b'2', ..] => (true, end + slashes + 3),
            // The `]` of a form's field, `user[password]=…`.
            [b']', ..] => (false, end + slashes + 1),
            _ => (false, end),
        };
        // A field of multipart/form-data: its value stands behind its head.
        if quoted && self.bytes[at..].starts_with(b"\r\n\r\n") {
            return Some((false, at + 4));
        }
        let at = self.end_of(at, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let rest = self.bytes.get(at..).unwrap_or_default();
        let length = match rest {
            [b':', b'=', ..] | [b'=', b'>', ..] | [b'=', b'=', ..] => 2,
            // `>` as in `<password>…`
            [b':' | b'=' | b'>', ..] => 1,
            [b'%', b'3', b'A' | b'a' | b'D' | b'd', ..] => 3,
            _ => return None,
        };
        Some((quoted, at + length))
    }

    fn slashes(&self, at: usize) -> usize {
        self.end_of(at, |byte| byte == b'\\') - at
    }

    /// Where a quoted value ends. Inside of a string of JSON quotes carry backslashes, and those of a value in it more:
    /// its own quote has as many as the one that opened it.
    fn closing(&self, inside: usize, quote: u8, slashes: usize) -> usize {
        let mut at = inside;
        while let Some(step) = self.bytes[at..].iter().position(|byte| *byte == quote) {
            let found = at + step;
            let before = self.bytes[inside..found].iter().rev().take_while(|byte| **byte == b'\\').count();
            if before < slashes {
                return found - before;
            }
            if before % (2 * (slashes + 1)) == slashes {
                return found - slashes;
            }
            at = found + 1;
        }
        self.bytes.len()
    }

    /// Where the object or list ends that opens here.
    fn balanced(&self, from: usize, open: u8) -> usize {
        let close = if open == b'{' { b'}' } else { b']' };
        let (mut depth, mut at) = (0_usize, from);
        while at < self.bytes.len() {
            match self.bytes[at] {
                b'"' => at = self.closing(at + 1, b'"', 0),
                byte if byte == open => depth += 1,
                byte if byte == close => {
                    depth -= 1;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.bytes.len()
    }

    /// Where a value without quotes ends: a word, and the next where the first only says what kind it is; cookies are
    /// several.
    fn bare(&self, from: usize, name: &[u8]) -> usize {
        let ends_with =
            |end: &[u8]| name.len().checked_sub(end.len()).is_some_and(|at| name[at..].eq_ignore_ascii_case(end));
        if ends_with(b"cookie") {
            return self.end_of(from, |byte| is_bare(byte) || matches!(byte, b' ' | b';' | b','));
        }
        let end = self.end_of(from, is_bare);
        let word = &self.bytes[from..end];
        let is_scheme = SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
            || (ends_with(b"authorization") && word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-'));
        if !is_scheme {
            return end;
        }
        let next = self.end_of(end, |byte| byte == b' ');
        self.end_of(next, is_bare)
    }

    /// The word itself, from where it looks like a key on: at its start, behind an escape, or behind a `_` or `-`.
    fn key(&self, start: usize, inner: usize, end: usize) -> Option<Range<usize>> {
        let is_last = end == self.bytes.len();
        // Most words are too short for any key.
        if end - start < SHORTEST && !is_last && !self.goes_on(end) {
            return None;
        }
        let is_start = |at: &usize| *at == start || *at == inner || matches!(self.bytes[*at - 1], b'_' | b'-');
        let looks_like_key = |at: &usize| {
            let word = &self.bytes[*at..end];
            if !BEGINNINGS.contains(&word[0]) {
                return false;
            }
            let long = |begin: &[u8], least: usize, rest: &[u8]| {
                rest.len() >= least || is_last || ((begin == TOKEN || begin == b"ya29") && self.goes_on(end))
            };
            KEYS.iter().any(|(begin, least)| word.strip_prefix(*begin).is_some_and(|rest| long(begin, *least, rest)))
        };
        let from = (start..end).filter(is_start).find(looks_like_key)?;
        // Parts of a token are joined by dots.
        let mut to = end;
        while self.goes_on(to) {
            to = self.word_end(to + 1);
        }
        let long_enough = to == self.bytes.len() || to - from >= SHORTEST;
        long_enough.then_some(from..to)
    }

    fn goes_on(&self, end: usize) -> bool {
        self.bytes.get(end) == Some(&b'.') && self.bytes.get(end + 1).is_some_and(|next| is_word(*next))
    }

    /// What stands behind `Bearer`, and behind `Basic` where it does not look like a word of a sentence.
    fn behind_scheme(&self, word: &[u8], end: usize) -> Option<Range<usize>> {
        let (bearer, basic) = (word.eq_ignore_ascii_case(b"bearer"), word.eq_ignore_ascii_case(b"basic"));
        if !(bearer || basic) {
            return None;
        }
        let rest = &self.bytes[end..];
        let from = end
            + match rest {
                [b'%', b'2', b'0', ..] => 3,
                [b'+', ..] => 1,
                _ => self.end_of(end, |byte| byte == b' ') - end,
            };
        let to = self.end_of(from, |byte| is_word(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'='));
        let token = &self.bytes[from..to];
        let odd = |byte: &u8| !byte.is_ascii_lowercase();
        let is_secret = to == self.bytes.len()
            || (bearer && token.len() >= 8)
            || (basic && token.len() >= 8 && token[1..].iter().any(odd));
        (from > end && to > from && is_secret).then_some(from..to)
    }

    /// From behind the word that begins a private key to the one that ends it.
    fn private_key(&self, start: usize, end: usize) -> Option<Range<usize>> {
        if !self.bytes[start..end].ends_with(b"-BEGIN") {
            return None;
        }
        let rest = &self.bytes[end..];
        let line = &rest[..rest.len().min(PEM_LINE)];
        let is_private = find(line, b"PRIVATE").is_some() || line.len() < PEM_LINE;
        let to = is_private.then(|| find(rest, b"-----END").map_or(self.bytes.len(), |at| end + at))?;
        (to > end).then_some(end..to)
    }

    /// Name and password in an address, `https://name:password@host`.
    fn password(&self, from: usize) -> Option<Range<usize>> {
        let end = self.end_of(from, |byte| {
            !byte.is_ascii_whitespace()
                && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'\\' | b'<' | b'>' | b'`')
        });
        let sign = self.bytes[from..end].iter().rposition(|byte| *byte == b'@')?;
        (sign > 0).then_some(from..from + sign)
    }
}

/// Bytes of names and keys.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Bytes of a value without quotes.
fn is_bare(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b';' | b'&' | b'}' | b']' | b'"' | b'\'' | b'\\' | b'<')
}

fn names_secret(name: &[u8]) -> bool {
    // From the end on, small letters without `_` and `-`.
    let letters = || name.iter().rev().filter(|byte| !matches!(byte, b'_' | b'-')).map(u8::to_ascii_lowercase);
    let ends_with = |end: &[u8]| {
        let mut left = letters();
        end.iter().rev().all(|letter| left.next() == Some(*letter))
    };
    NAMES.iter().any(|end| ends_with(end)) || WHOLE_NAMES.iter().any(|whole| letters().eq(whole.iter().rev().copied()))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

#[cfg(test)]
mod tests;
