//! Two texts, line by line: which lines both have, and which only one. Pure, and bounded in work and memory, for
//! what it compares came from strangers.
//!
//! It runs in the browser alone: a replay is asked for there, and the recorded body is read there.

/// Lines of each text that are compared; the rest is left out, and said to be.
const MOST_LINES: usize = 2_000;
/// Pairs of lines that are weighed against each other. Where two stretches have more, all of both differs.
const MOST_PAIRS: usize = 1_000_000;
/// Lines that are shown around a difference.
const AROUND: usize = 3;
/// How deep JSON is indented; what is deeper stays as it is.
const DEEPEST: usize = 64;

/// A piece of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line that both have here.
    Same(String),
    /// A line that only this one has.
    Only(String),
    /// So many lines that both have, left out.
    Folded(usize),
}

/// Both texts, their common lines folded at the same places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) before: Vec<Piece>,
    pub(super) now: Vec<Piece>,
    /// One of them has more lines than are compared.
    pub(super) cut: bool,
}

impl Sides {
    /// Whether what was compared has the same lines.
    pub(super) fn agree(&self) -> bool {
        let only = |piece: &Piece| matches!(piece, Piece::Only(_));
        !self.cut && !self.before.iter().any(only) && !self.now.iter().any(only)
    }

    /// Lines that both have; those far from a difference are folded. There is one before them, behind them, or both.
    fn same(&mut self, lines: &[&str], differs_before: bool, differs_behind: bool) {
        let head = if differs_before { AROUND.min(lines.len()) } else { 0 };
        let tail = if differs_behind { AROUND.min(lines.len() - head) } else { 0 };
        let folded = lines.len() - head - tail;
        let mut pieces: Vec<Piece> = Vec::with_capacity(head + tail + 1);
        let plain = |line: &&str| Piece::Same((*line).to_owned());
        pieces.extend(lines[..head].iter().map(plain));
        match folded {
            0 => {}
            1 => pieces.push(plain(&lines[head])),
            _ => pieces.push(Piece::Folded(folded)),
        }
        pieces.extend(lines[head + folded..].iter().map(plain));
        self.before.extend(pieces.iter().cloned());
        self.now.extend(pieces);
    }
}

/// The two texts side by side; JSON is indented first, so that it has lines.
pub(super) fn compare(before: &str, now: &str) -> Sides {
    let (before, now) = (readable(before), readable(now));
    let (all_before, all_now) = (first_lines(&before), first_lines(&now));
    let cut = before.lines().nth(MOST_LINES).is_some() || now.lines().nth(MOST_LINES).is_some();
    let mut sides = Sides { cut, ..Sides::default() };
    let only = |line: &&str| Piece::Only((*line).to_owned());
    let (mut left, mut right) = (0, 0);
    for Run { before, now, length } in runs(&all_before, &all_now) {
        sides.before.extend(all_before[left..before].iter().map(only));
        sides.now.extend(all_now[right..now].iter().map(only));
        let differs_before = before + now > 0;
        (left, right) = (before + length, now + length);
        let differs_behind = left < all_before.len() || right < all_now.len();
        sides.same(&all_before[before..left], differs_before, differs_behind);
    }
    sides.before.extend(all_before[left..].iter().map(only));
    sides.now.extend(all_now[right..].iter().map(only));
    sides
}

fn first_lines(text: &str) -> Vec<&str> {
    text.lines().take(MOST_LINES).collect()
}

/// Lines that follow each other in both texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    before: usize,
    now: usize,
    length: usize,
}

/// What both have, in order: what is equal at the start and at the end, and the most of what lies between.
fn runs(before: &[&str], now: &[&str]) -> Vec<Run> {
    let head = before.iter().zip(now).take_while(|(one, other)| one == other).count();
    let (rest_before, rest_now) = (&before[head..], &now[head..]);
    let from_end = rest_before.iter().rev().zip(rest_now.iter().rev());
    let tail = from_end.take_while(|(one, other)| one == other).count();
    let (end_before, end_now) = (rest_before.len() - tail, rest_now.len() - tail);
    let between = common(&rest_before[..end_before], &rest_now[..end_now]);
    let mut pairs: Vec<(usize, usize)> = (0..head).map(|line| (line, line)).collect();
    pairs.extend(between.into_iter().map(|(left, right)| (head + left, head + right)));
    pairs.extend((0..tail).map(|line| (head + end_before + line, head + end_now + line)));
    let mut runs: Vec<Run> = Vec::new();
    for (left, right) in pairs {
        match runs.last_mut() {
            Some(run) if run.before + run.length == left && run.now + run.length == right => run.length += 1,
            _ => runs.push(Run { before: left, now: right, length: 1 }),
        }
    }
    runs
}

/// The longest common subsequence, as pairs of places. Nothing where it would cost too much to find.
fn common(before: &[&str], now: &[&str]) -> Vec<(usize, usize)> {
    if before.len() * now.len() > MOST_PAIRS {
        return Vec::new();
    }
    // How many lines are common from a pair of places on; MOST_LINES fits.
    let width = now.len() + 1;
    let mut longest = vec![0_u16; (before.len() + 1) * width];
    for left in (0..before.len()).rev() {
        for right in (0..now.len()).rev() {
            let here = left * width + right;
            longest[here] = if before[left] == now[right] {
                longest[here + width + 1] + 1
            } else {
                longest[here + width].max(longest[here + 1])
            };
        }
    }
    let (mut left, mut right, mut pairs) = (0, 0, Vec::new());
    while left < before.len() && right < now.len() {
        let here = left * width + right;
        if before[left] == now[right] {
            pairs.push((left, right));
            (left, right) = (left + 1, right + 1);
        } else if longest[here + width] >= longest[here + 1] {
            left += 1;
        } else {
            right += 1;
        }
    }
    pairs
}

/// JSON with a line for each value, anything else as it is.
fn readable(text: &str) -> String {
    indented(text).unwrap_or_else(|| text.to_owned())
}

/// Breaks and indents JSON without reading it as values: figures, strings and the order of fields stay as they were
/// sent, and a body that was cut off is indented as far as it goes.
fn indented(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut rest = text.chars().peekable();
    while let Some(sign) = rest.next() {
        if quoted {
            out.push(sign);
            quoted = escaped || sign != '"';
            escaped = !escaped && sign == '\\';
            continue;
        }
        match sign {
            '{' | '[' => {
                // The next of several values.
                if depth == 0 && !out.is_empty() {
                    out.push('\n');
                }
                out.push(sign);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                    continue;
                }
                depth += 1;
                if depth > DEEPEST {
                    return None;
                }
                break_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.checked_sub(1)?;
                break_line(&mut out, depth);
                out.push(sign);
            }
            ',' => {
                out.push(sign);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ if sign.is_ascii_whitespace() => {}
            _ => {
                quoted = sign == '"';
                out.push(sign);
            }
        }
    }
    Some(out)
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(line: &str) -> Piece {
        Piece::Same(line.to_owned())
    }

    fn only(line: &str) -> Piece {
        Piece::Only(line.to_owned())
    }

    #[test]
    fn a_line_that_changed_is_marked_on_both_sides() {
        let sides = compare("a\nb\nc", "a\nB\nc\nd");
        assert_eq!(sides.before, [same("a"), only("b"), same("c")]);
        assert_eq!(sides.now, [same("a"), only("B"), same("c"), only("d")]);
        assert!(!sides.cut && !sides.agree());
    }

    #[test]
    fn a_line_that_was_put_in_moves_the_others_without_marking_them() {
        let sides = compare("one\ntwo\nthree", "zero\none\ntwo\nhalf\nthree");
        assert_eq!(sides.before, [same("one"), same("two"), same("three")]);
        assert_eq!(sides.now, [only("zero"), same("one"), same("two"), only("half"), same("three")]);
    }

    #[test]
    fn one_value_of_json_on_one_line_is_one_line_of_the_difference() {
        let sides = compare(
            r#"{"id":1.0,"say":"a, {b}: \"c\\","list":[],"x":[1,2]}"#,
            "{ \"id\" : 1,\n\"say\":\"a, {b}: \\\"c\\\\\", \"list\": [ ], \"x\":[1,2]}",
        );
        let rest = [same(r#"  "say": "a, {b}: \"c\\","#), same(r#"  "list": [],"#), same(r#"  "x": ["#)];
        assert_eq!(sides.before[..2], [same("{"), only(r#"  "id": 1.0,"#)]);
        assert_eq!(sides.now[..2], [same("{"), only(r#"  "id": 1,"#)]);
        assert_eq!((&sides.before[2..5], &sides.now[2..5]), (&rest[..], &rest[..]));
        assert_eq!(sides.before[5], Piece::Folded(4));
    }

    #[test]
    fn what_differs_in_white_space_alone_agrees_once_it_is_indented() {
        assert!(compare("{\"a\":[1,2]}", "{ \"a\": [1, 2] }\n").agree());
        assert!(!compare("{\"a\":[1,2]}", "{\"a\":[2,1]}").agree());
    }

    #[test]
    fn what_is_no_whole_json_is_still_compared() {
        assert_eq!(indented("{\"a\":{\"b\":\"cut o").as_deref(), Some("{\n  \"a\": {\n    \"b\": \"cut o"));
        assert_eq!(indented("{\"a\":1}\n{\"a\":2}").as_deref(), Some("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}"));
        assert_eq!(indented("[]]"), None);
        assert_eq!(indented("data: {}"), None);
        assert_eq!(indented(&"[".repeat(100_000)), None, "indenting it would take gigabytes");
        assert_eq!(indented(&"[]".repeat(3)).as_deref(), Some("[]\n[]\n[]"));
    }

    #[test]
    fn lines_far_from_a_difference_are_folded_at_the_same_place_on_both_sides() {
        let text = |last: &str| (0..40).map(|line| format!("line {line}\n")).collect::<String>() + last;
        let sides = compare(&text("x"), &text("y"));
        assert_eq!(sides.before[0], Piece::Folded(37));
        assert_eq!(sides.before[..4], sides.now[..4]);
        assert_eq!((&sides.before[4], &sides.now[4]), (&only("x"), &only("y")));
    }

    #[test]
    fn what_is_too_much_is_bounded_and_said() {
        let text = |seed: usize| (0..5_000).map(|line| format!("{}\n", line * 2 + seed)).collect::<String>();
        let sides = compare(&text(0), &text(1));
        assert!(sides.cut);
        assert_eq!(
            (sides.before.len(), sides.now.len()),
            (MOST_LINES, MOST_LINES),
            "beyond the work allowed all differs"
        );
        let equal = compare(&text(0), &text(0));
        assert!(!equal.agree(), "the rest was not looked at");
        assert_eq!(equal.before, [Piece::Folded(MOST_LINES)]);
    }
}
