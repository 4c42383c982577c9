//! Reads an event stream as it comes, in any split (WHATWG HTML §9.2.6, "interpreting an event stream").
//!
//! Lines end with CR, LF or CRLF, also where a split falls between the two; a byte order mark at the
//! beginning, comments and unknown fields are passed over; several `data:` lines are one datum.

/// Kept of one line and of one event's data, bytes; what is longer is cut, and said to be.
const LONGEST: usize = 256 * 1024;
/// Kept of an event's name, bytes.
const LONGEST_NAME: usize = 256;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Scanner {
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    /// A `data:` line was there, be it empty.
    has_data: bool,
    cut: bool,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// The first line was read: a mark further on is content.
    begun: bool,
    /// The event was handed out: the next call begins a new one.
    told: bool,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// `event:`, empty where none was given.
    pub name: &'a [u8],
    /// `data:`, its lines joined by LF.
    pub data: &'a [u8],
    /// It was longer than is kept.
    pub cut: bool,
}

impl Scanner {
    /// The next event that ends in `bytes`, which move on behind it; `None` when they are used up.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Event<'_>> {
        self.forget();
        while self.read_line(bytes) {
            let blank = self.take_field();
            if blank && self.has_data {
                return Some(self.tell());
            }
            if blank {
                self.name.clear();
            }
        }
        None
    }

    /// The event that the end of the stream leaves unfinished. A browser drops it (§9.2.6); a provider
    /// that forgets the last blank line still meant it.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        self.forget();
        self.take_field();
        self.has_data.then(|| self.tell())
    }

    fn tell(&mut self) -> Event<'_> {
        self.told = true;
        Event { name: &self.name, data: &self.data, cut: self.cut }
    }

    fn forget(&mut self) {
        if std::mem::take(&mut self.told) {
            self.name.clear();
            self.data.clear();
            self.has_data = false;
            self.cut = false;
        }
    }

    /// Moves bytes into the line up to its end; whether it has ended.
    fn read_line(&mut self, bytes: &mut &[u8]) -> bool {
        if let Some((first, rest)) = bytes.split_first()
            && std::mem::take(&mut self.after_cr)
            && *first == b'\n'
        {
            *bytes = rest;
        }
        let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let part = &bytes[..end.unwrap_or(bytes.len())];
        self.cut |= !extend(&mut self.line, part, LONGEST);
        let Some(end) = end else {
            *bytes = &[];
            return false;
        };
        self.after_cr = bytes[end] == b'\r';
        *bytes = &bytes[end + 1..];
        true
    }

    /// Reads the line that has ended; whether it was blank.
    fn take_field(&mut self) -> bool {
        let begun = std::mem::replace(&mut self.begun, true);
        let line = self.line.as_slice();
        let line = if begun { line } else { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) };
        let blank = line.is_empty();
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.cut |= !extend(&mut self.data, b"\n", LONGEST);
                }
                self.cut |= !extend(&mut self.data, value, LONGEST);
            }
            b"event" => {
                self.name.clear();
                extend(&mut self.name, value, LONGEST_NAME);
            }
            _ => {}
        }
        self.line.clear();
        blank
    }
}

/// Appends what fits; whether all of it did.
fn extend(kept: &mut Vec<u8>, part: &[u8], most: usize) -> bool {
    let room = most.saturating_sub(kept.len()).min(part.len());
    kept.extend_from_slice(&part[..room]);
    room == part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(parts: &[&str]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (mut scanner, mut found) = (Scanner::default(), Vec::new());
        for part in parts {
            let mut bytes = part.as_bytes();
            while let Some(event) = scanner.next(&mut bytes) {
                found.push((text(event.name), text(event.data)));
            }
        }
        found.extend(scanner.finish().map(|event| (text(event.name), text(event.data))));
        found
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn lines_end_in_three_ways_and_splits_change_nothing() {
        let expected = [pair("", "a"), pair("x", "b\nc")];
        for end in ["\n", "\r", "\r\n"] {
            let stream = format!("data: a{end}{end}event: x{end}data:b{end}data: c{end}{end}");
            assert_eq!(events(&[&stream]), expected, "{end:?}");
            let bytes: Vec<String> = stream.chars().map(String::from).collect();
            assert_eq!(events(&bytes.iter().map(String::as_str).collect::<Vec<_>>()), expected, "{end:?}");
        }
    }

    #[test]
    fn comments_other_fields_and_a_byte_order_mark_say_nothing() {
        assert_eq!(events(&["\u{feff}data: a\n\n"]), [pair("", "a")]);
        assert_eq!(events(&[": note\nid: 7\nretry: 5\n\ndata\n\n"]), [pair("", "")]);
        assert_eq!(events(&["event: lost\n\ndata: a\n\n"]), [pair("", "a")]);
        assert_eq!(events(&["data:  two spaces\n\n"]), [pair("", " two spaces")]);
    }

    #[test]
    fn an_event_without_its_blank_line_is_read_at_the_end() {
        assert_eq!(events(&["data: a\n\ndata: b"]), [pair("", "a"), pair("", "b")]);
        assert_eq!(events(&["", ": only a comment"]), []);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let mut scanner = Scanner::default();
        let long = format!("data: {}\n\n", "x".repeat(2 * LONGEST));
        let mut bytes = long.as_bytes();
        let event = scanner.next(&mut bytes).expect("an event");
        assert!(event.cut && event.data.len() <= LONGEST);
        let mut bytes: &[u8] = b"data: y\n\n";
        assert_eq!(scanner.next(&mut bytes), Some(Event { name: b"", data: b"y", cut: false }));
    }
}
