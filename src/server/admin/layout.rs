//! JSON laid out to be read: a line for each value, indented by depth.
//!
//! Of what is kept of a body often only the beginning is there, and a secret in it may have been replaced by what is
//! no JSON: so nothing is parsed, nothing is left out, and order, numbers and escapes stay as they were written.

/// Deepest indentation, levels.
const DEEPEST: usize = 40;

/// The text laid out; `None` where it does not begin as an object or a list does, has lines of its own, or would
/// become many times as long.
pub(super) fn lay_out(text: &str) -> Option<String> {
    let trimmed = text.trim();
    if !trimmed.starts_with(['{', '[']) || trimmed.contains('\n') {
        return None;
    }
    let mut out = String::with_capacity(trimmed.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut fresh) = (0_usize, false, false, false);
    for letter in trimmed.chars() {
        // Made to be deep, not to be read.
        if out.len() > trimmed.len() * 8 + 4_096 {
            return None;
        }
        if in_string {
            out.push(letter);
            in_string = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
            continue;
        }
        if letter.is_whitespace() {
            continue;
        }
        // An empty object or list stays together.
        if std::mem::take(&mut fresh) && !matches!(letter, '}' | ']') {
            new_line(&mut out, depth);
        } else if matches!(letter, '}' | ']') && !out.ends_with(['{', '[']) {
            new_line(&mut out, depth.saturating_sub(1));
        }
        match letter {
            '{' | '[' => {
                (depth, fresh) = (depth + 1, true);
                out.push(letter);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter => {
                in_string = letter == '"';
                out.push(letter);
            }
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line_and_no_letter_is_lost() {
        let text = r#"{"a": [1,{"b":"x, {y}: \"z\""}], "c":{},"d":[ ],"e":null}"#;
        let wanted = "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x, {y}: \\\"z\\\"\"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": null\n}";
        assert_eq!(lay_out(text).as_deref(), Some(wanted));
    }

    #[test]
    fn what_would_grow_without_measure_stays_as_it_is() {
        let deep = format!("{}{}", "[".repeat(40), ",".repeat(100_000));
        assert_eq!(lay_out(&deep), None);
    }

    #[test]
    fn what_was_cut_off_or_is_no_json_is_left_readable() {
        assert_eq!(lay_out(r#"{"a":{"b":"cut o"#).as_deref(), Some("{\n  \"a\": {\n    \"b\": \"cut o"));
        assert_eq!(lay_out("]]}").as_deref(), None);
        assert_eq!(lay_out("[]]]}").as_deref(), Some("[]\n]\n]\n}"));
        for text in ["data: {\"a\":1}\n\n", "hello", "", "{\n \"a\": 1\n}"] {
            assert_eq!(lay_out(text), None, "{text}");
        }
    }
}
