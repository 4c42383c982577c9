//! The one field of a form that the gateway reads: `model` of `multipart/form-data` (RFC 7578), as
//! transcriptions and image edits send it.
//!
//! Whatever is read here must be what the provider will read, or a key's model globs could be talked
//! around. So anything unclear is no answer: a part whose head cannot be parsed, the field twice, a
//! form without an end.

use std::ops::Range;

/// Longest head of a part, bytes.
const HEAD_MAX: usize = 16 * 1024;

/// Where the value of the field `name` lies in the form; `None` where that is not beyond doubt.
pub(super) fn field(content_type: &str, body: &[u8], name: &str) -> Option<Range<usize>> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?.filter(|text| !text.is_empty() && text.len() <= 70)?;
    let delimiter = Delimiter::new(&boundary);
    let mut found = None;
    let mut at = delimiter.first(body)?;
    loop {
        // Behind a delimiter stands the end, or a line break and the next part.
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return if delimiter.next(rest).is_none() { found } else { None };
        }
        let head_at = at + rest.starts_with(b"\r\n").then_some(2)?;
        let head = head_of(&body[head_at..])?;
        let value_at = head_at + head.len() + 4;
        let value = &body[value_at..];
        if value.starts_with(&delimiter.bytes[2..]) {
            return None;
        }
        let value_end = value_at + delimiter.next(value)?;
        if field_name(head)? == name && found.replace(value_at..value_end).is_some() {
            return None;
        }
        at = value_end + delimiter.bytes.len();
    }
}

fn head_of(part: &[u8]) -> Option<&str> {
    let window = &part[..part.len().min(HEAD_MAX)];
    let end = window.windows(4).position(|four| four == b"\r\n\r\n")?;
    std::str::from_utf8(&window[..end]).ok()
}

/// `name` of the one `Content-Disposition` of a part.
fn field_name(head: &str) -> Option<String> {
    let mut found = None;
    for line in head.split("\r\n") {
        // A folded line, or no header at all: servers disagree about it.
        let (name, value) = line.split_once(':').filter(|(name, _)| !name.is_empty() && !name.contains([' ', '\t']))?;
        if name.eq_ignore_ascii_case("content-disposition") {
            let parameters = value.trim().strip_prefix("form-data")?.trim_start().strip_prefix(';')?;
            if found.replace(parameter(parameters, "name")??).is_some() {
                return None;
            }
        }
    }
    found
}

/// A parameter of a header (RFC 9110 §5.6.6), quoted or not. The outer `None`: the list cannot be
/// read, or names it twice or in an extended form.
fn parameter(list: &str, wanted: &str) -> Option<Option<String>> {
    let mut found = None;
    let mut rest = list.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        let name = name.trim();
        if name.eq_ignore_ascii_case(&format!("{wanted}*")) {
            return None;
        }
        if name.eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
            return None;
        }
        let after = after.trim_start();
        rest = if after.is_empty() { after } else { after.strip_prefix(';')?.trim_start() };
    }
    Some(found)
}

/// A quoted text after its opening quote, and what follows the closing one. A backslash is taken as
/// the start of an escape by some servers and as itself by others: only `\"` is clear enough.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                '"' => value.push('"'),
                _ => return None,
            },
            other => value.push(other),
        }
    }
    None
}

/// `CRLF -- boundary`, found by Horspool's rule: files between two fields are skipped in long steps.
struct Delimiter {
    bytes: Vec<u8>,
    steps: [u8; 256],
}

impl Delimiter {
    fn new(boundary: &str) -> Self {
        let bytes = [&b"\r\n--"[..], boundary.as_bytes()].concat();
        // At most 74 bytes, so a step fits.
        let mut steps = [bytes.len() as u8; 256];
        for (at, byte) in bytes[..bytes.len() - 1].iter().enumerate() {
            steps[usize::from(*byte)] = (bytes.len() - 1 - at) as u8;
        }
        Self { bytes, steps }
    }

    /// Behind the first delimiter, which needs no line break at the very start.
    fn first(&self, body: &[u8]) -> Option<usize> {
        if body.starts_with(&self.bytes[2..]) {
            return Some(self.bytes.len() - 2);
        }
        self.next(body).map(|at| at + self.bytes.len())
    }

    /// Where the next delimiter begins.
    fn next(&self, body: &[u8]) -> Option<usize> {
        let length = self.bytes.len();
        let mut at = 0;
        while let Some(window) = body.get(at..at + length) {
            if window == self.bytes {
                return Some(at);
            }
            at += usize::from(self.steps[usize::from(window[length - 1])]);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "multipart/form-data; boundary=XX";

    fn model(content_type: &str, body: &str) -> Option<String> {
        field(content_type, body.as_bytes(), "model").map(|place| body[place].to_owned())
    }

    fn part(disposition: &str, value: &str) -> String {
        format!("--XX\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n")
    }

    fn form(parts: &[String]) -> String {
        format!("{}--XX--\r\n", parts.concat())
    }

    #[test]
    fn the_model_is_found_among_files() {
        let file = "--XX\r\ncontent-type: audio/wav\r\nCONTENT-DISPOSITION: form-data; name=\"file\"; filename=\"a;name=\\\"model\\\".wav\"\r\n\r\n\r\n--X\0\r\n--\r\n";
        let body =
            form(&[file.to_owned(), part("form-data; name=\"model\"", "whisper-1"), part("form-data; name=x", "")]);
        assert_eq!(model(FORM, &body).as_deref(), Some("whisper-1"));
        assert_eq!(model("Multipart/Form-Data; charset=utf-8; boundary=\"XX\"", &body).as_deref(), Some("whisper-1"));
        let preamble = format!("to be ignored\r\n{}", form(&[part("form-data; name=model", "m")]));
        assert_eq!(model(FORM, &preamble).as_deref(), Some("m"));
    }

    #[test]
    fn a_form_that_could_be_read_in_two_ways_names_no_model() {
        let good = part("form-data; name=\"model\"", "gpt-4");
        for odd in [
            part("form-data; name=\"model\"", "o3"),
            part("form-data; name=\"x\"; name=\"model\"", "o3"),
            part("form-data; name*=utf-8''model", "o3"),
            part("form-data; name=\"mo\\del\"", "o3"),
            part("form-data; name=\"x\" name=\"model\"", "o3"),
            part("form-data;\r\n name=\"model\"", "o3"),
            part("attachment; name=\"model\"", "o3"),
            part("form-data", "o3"),
            "--XX\r\n\r\no3\r\n".to_owned(),
            "--XX\r\nContent-Disposition: form-data; name=x\r\n\r\n".to_owned() + &part("form-data; name=model", "o3"),
            "--XX--\r\n".to_owned(),
            "--XX\r\nX: 1\r\n\r\no3\r\n".to_owned(),
            "--XX\nContent-Disposition: form-data; name=\"model\"\n\no3\r\n".to_owned(),
            "--XXY\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\no3\r\n".to_owned(),
        ] {
            assert_eq!(model(FORM, &form(&[good.clone(), odd.clone()])), None, "{odd}");
            assert_eq!(model(FORM, &form(&[odd.clone(), good.clone()])), None, "{odd}");
        }
        assert_eq!(model(FORM, &good), None, "it has no end");
        assert_eq!(model(FORM, &form(&[part("form-data; name=x", "")])), None, "it has no model");
        for kind in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=XX", "text/plain"]
        {
            assert_eq!(model(kind, &form(std::slice::from_ref(&good))), None, "{kind}");
        }
    }

    #[test]
    fn every_delimiter_is_found_wherever_it_lies() {
        let delimiter = Delimiter::new("ab-ab");
        for before in 0..40 {
            let body =
                [b"\r\n--ab-ax-ab-\r\n-".repeat(3)[..before].to_vec(), b"\r\n--ab-ab".to_vec(), b"tail".to_vec()]
                    .concat();
            assert_eq!(delimiter.next(&body), Some(before), "{before}");
        }
        assert_eq!(delimiter.next(b"\r\n--ab-a"), None);
    }
}
