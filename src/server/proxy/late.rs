//! What an answer wears that comes after keep-alive began: its head is gone, so one that is no event
//! stream becomes a single event, and the provider is named in a comment at the end.

use bytes::{BufMut, Bytes, BytesMut};

/// The dress of one answer. Constant memory: each chunk is dressed by itself.
#[derive(Debug)]
pub struct Late {
    form: Form,
    /// Without its line end nothing behind it would be a line of its own.
    at_line_start: bool,
    comment: String,
}

#[derive(Debug)]
enum Form {
    /// Events already.
    Stream,
    /// Anything else: the lines of one datum.
    Datum { begun: bool, after_cr: bool },
}

impl Late {
    /// For an event stream, which stays as it is.
    pub fn stream(comment: String) -> Self {
        Self { form: Form::Stream, at_line_start: true, comment }
    }

    /// For anything else.
    pub fn datum(comment: String) -> Self {
        Self { form: Form::Datum { begun: false, after_cr: false }, at_line_start: true, comment }
    }

    /// The chunk as it goes out.
    pub fn dress(&mut self, chunk: Bytes) -> Bytes {
        let Some(last) = chunk.last() else { return chunk };
        match &mut self.form {
            Form::Stream => {
                self.at_line_start = matches!(last, b'\r' | b'\n');
                chunk
            }
            Form::Datum { begun, after_cr } => {
                self.at_line_start = false;
                datum(&chunk, begun, after_cr)
            }
        }
    }

    /// What stands behind the last chunk. The comment ends no event: one that the provider left
    /// unfinished stays so.
    pub fn ending(self) -> Bytes {
        let end = match self.form {
            Form::Datum { begun: true, .. } => "\n\n",
            _ if self.at_line_start => "",
            _ => "\n",
        };
        Bytes::from([end, self.comment.as_str()].concat())
    }
}

/// A line end inside of a datum begins another `data:` line (WHATWG HTML §9.2.6).
fn datum(chunk: &[u8], begun: &mut bool, after_cr: &mut bool) -> Bytes {
    let mut dressed = BytesMut::with_capacity(chunk.len() + 64);
    if !std::mem::replace(begun, true) {
        dressed.put_slice(b"data: ");
    }
    for byte in chunk {
        let follows_cr = std::mem::replace(after_cr, *byte == b'\r');
        match byte {
            b'\n' if follows_cr => {}
            b'\r' | b'\n' => dressed.put_slice(b"\ndata: "),
            byte => dressed.put_u8(*byte),
        }
    }
    dressed.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::proxy::hold::scan::Scanner;

    fn dressed(mut late: Late, chunks: &[&[u8]]) -> Vec<u8> {
        let mut all = Vec::new();
        for chunk in chunks {
            all.extend_from_slice(&late.dress(Bytes::copy_from_slice(chunk)));
        }
        all.extend_from_slice(&late.ending());
        all
    }

    #[test]
    fn any_body_becomes_one_event_with_the_same_lines() {
        let body = b"{\r\n \"a\": 1,\n\n \"b\":\r2\n}";
        for size in [1, 2, 3, body.len()] {
            let chunks: Vec<&[u8]> = body.chunks(size).collect();
            let out = dressed(Late::datum(": who\n".to_owned()), &chunks);
            let (mut scanner, mut rest) = (Scanner::default(), out.as_slice());
            let event = scanner.next(&mut rest).expect("an event");
            assert_eq!(event.data, b"{\n \"a\": 1,\n\n \"b\":\n2\n}");
            assert_eq!(rest, b": who\n");
        }
    }

    #[test]
    fn a_stream_is_not_touched_and_its_unfinished_event_stays_unfinished() {
        assert_eq!(dressed(Late::stream(": who\n".to_owned()), &[b"data: a\n", b"\n"]), b"data: a\n\n: who\n");
        assert_eq!(dressed(Late::stream(": who\n".to_owned()), &[b"data: a"]), b"data: a\n: who\n");
        assert_eq!(dressed(Late::stream(String::new()), &[b"data: a\n\n"]), b"data: a\n\n");
        assert_eq!(dressed(Late::datum(": who\n".to_owned()), &[]), b": who\n");
    }
}
