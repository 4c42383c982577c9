//! Finds the usage object in JSON as it comes, in any split, by following the structure alone.
//!
//! Three places count: a field of the document itself, of `message` or `response` in it (the events of
//! Anthropic and of OpenAI's responses), and of the elements of a document that is a list (Gemini's other
//! stream). Deeper ones are somebody's words: arguments of a tool, metadata of a client. Inside of a string
//! every quote is escaped, so the text of an answer cannot look like a field.

use memchr::memchr2;

use super::count::{Place, Tally};

/// Longest usage object, bytes; with details of every modality they have less than one KiB.
const LONGEST: usize = 4 * 1024;
/// What most of them have, bytes.
const USUAL: usize = 512;
/// Longest name of a field that means something here.
const LONGEST_NAME: usize = "usageMetadata".len();

/// Follows one document.
#[derive(Debug, Default)]
pub(super) struct Finder {
    lex: Lex,
    /// Containers that are open.
    depth: u32,
    /// Which of the first of them are looked into, a bit for each depth.
    watched: u8,
    is_list: bool,
    /// Of the container that is looked into at depth two.
    inner: Place,
    /// The next string names a field.
    name_next: bool,
    name: Name,
    /// What the field whose value comes next is to us.
    field: Field,
    /// The object being kept, and the depth it stands at; empty when there is none.
    kept: Vec<u8>,
    kept_at: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lex {
    #[default]
    Between,
    Text,
    Escape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Other,
    Usage,
    Inner(Place),
}

/// The name of a field, while it is read.
#[derive(Debug, Default)]
struct Name {
    reading: bool,
    bytes: [u8; LONGEST_NAME],
    /// Its length; larger than the longest when it is none of ours.
    length: usize,
}

impl Name {
    fn begin(&mut self) {
        *self = Self { reading: true, ..Self::default() };
    }

    fn push(&mut self, part: &[u8]) {
        if !self.reading {
            return;
        }
        match self.bytes.get_mut(self.length..self.length + part.len()) {
            Some(room) => {
                room.copy_from_slice(part);
                self.length += part.len();
            }
            None => self.spoil(),
        }
    }

    fn spoil(&mut self) {
        (self.reading, self.length) = (false, 0);
    }

    fn field(&self) -> Field {
        match &self.bytes[..self.length] {
            b"usage" | b"usageMetadata" => Field::Usage,
            b"message" => Field::Inner(Place::Start),
            b"response" => Field::Inner(Place::Answer),
            _ => Field::Other,
        }
    }
}

impl Finder {
    /// The next bytes; what is found goes to the tally.
    pub(super) fn feed(&mut self, bytes: &[u8], tally: &mut Tally) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.lex {
                Lex::Between => self.between(rest, tally),
                Lex::Text => self.text(rest),
                Lex::Escape => {
                    self.keep(&rest[..1]);
                    self.lex = Lex::Text;
                    &rest[1..]
                }
            };
        }
    }

    /// Begins another document.
    pub(super) fn restart(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        *self = Self { kept, ..Self::default() };
    }

    fn text<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = memchr2(b'"', b'\\', rest);
        let text = &rest[..end.unwrap_or(rest.len())];
        self.name.push(text);
        self.keep(text);
        let Some(end) = end else { return &[] };
        self.keep(&rest[end..=end]);
        if rest[end] == b'"' {
            self.lex = Lex::Between;
            self.name.reading = false;
        } else {
            self.lex = Lex::Escape;
            self.name.spoil();
        }
        &rest[end + 1..]
    }

    fn between<'a>(&mut self, rest: &'a [u8], tally: &mut Tally) -> &'a [u8] {
        let at = if self.is_watched() { rest.iter().position(is_mark) } else { find_bracket(rest) };
        // Only what stands right behind the name is its value: in what is no JSON anything may follow a `null`.
        if rest[..at.unwrap_or(rest.len())].iter().any(|byte| !byte.is_ascii_whitespace()) {
            self.field = Field::Other;
        }
        let Some(at) = at else {
            self.keep(rest);
            return &[];
        };
        self.keep(&rest[..=at]);
        match rest[at] {
            b'"' => self.open_text(),
            b'{' => self.open(true),
            b'[' => self.open(false),
            b'}' | b']' => self.close(tally),
            b':' => self.field = std::mem::take(&mut self.name).field(),
            _ => (self.name_next, self.field) = (true, Field::Other),
        }
        &rest[at + 1..]
    }

    fn open_text(&mut self) {
        self.lex = Lex::Text;
        self.field = Field::Other;
        if self.is_watched() && std::mem::take(&mut self.name_next) {
            self.name.begin();
        }
    }

    fn open(&mut self, is_object: bool) {
        let field = std::mem::take(&mut self.field);
        if is_object && field == Field::Usage && self.kept.is_empty() {
            self.kept.reserve(USUAL);
            self.kept.push(b'{');
            self.kept_at = self.depth;
        }
        self.depth = self.depth.saturating_add(1);
        let watch = match (self.depth, field) {
            (1, _) => is_object,
            (2, Field::Inner(place)) => {
                self.inner = place;
                is_object
            }
            (2, _) => {
                self.inner = Place::Answer;
                is_object && self.is_list
            }
            _ => false,
        };
        if self.depth == 1 {
            self.is_list = !is_object;
        }
        if self.depth < u8::BITS {
            self.watched = self.watched & !(1 << self.depth) | u8::from(watch) << self.depth;
        }
        self.name_next = true;
    }

    fn close(&mut self, tally: &mut Tally) {
        self.depth = self.depth.saturating_sub(1);
        self.field = Field::Other;
        if !self.kept.is_empty() && self.depth == self.kept_at {
            if self.kept.len() <= LONGEST {
                tally.add(if self.depth == 2 { self.inner } else { Place::Answer }, &self.kept);
            } else {
                tally.spoil();
            }
            self.kept.clear();
        }
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.capacity()
    }

    fn is_watched(&self) -> bool {
        self.depth < u8::BITS && self.watched & (1 << self.depth) != 0
    }

    /// Keeps what belongs to the object; one byte beyond the longest, to know of it.
    fn keep(&mut self, part: &[u8]) {
        if !self.kept.is_empty() {
            let room = (LONGEST + 1).saturating_sub(self.kept.len()).min(part.len());
            self.kept.extend_from_slice(&part[..room]);
        }
    }
}

fn is_mark(byte: &u8) -> bool {
    is_bracket(*byte) || matches!(byte, b',' | b':')
}

fn is_bracket(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'}' | b'[' | b']')
}

/// The first bracket or quote. A block without any is passed over at once: vectors are long lists of numbers.
fn find_bracket(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    let skipped =
        bytes.chunks(BLOCK).take_while(|block| !block.iter().fold(false, |any, byte| any | is_bracket(*byte)));
    let from = (skipped.count() * BLOCK).min(bytes.len());
    bytes[from..].iter().position(|byte| is_bracket(*byte)).map(|at| from + at)
}
