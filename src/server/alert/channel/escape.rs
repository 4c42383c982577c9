//! Text that people wrote, made harmless for each service.

/// For services that render a Markdown of their own without a documented escape (DingTalk, WeCom): what
/// could mean something is replaced with its full-width form, which looks alike and means nothing. An
/// underscore inside a word means nothing in any of them, and names are full of them.
pub(super) fn markdown(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let word = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric());
    let escaped = chars.iter().enumerate().map(|(at, c)| match c {
        '_' if word(at.checked_sub(1)) && word(Some(at + 1)) => '_',
        '*' | '_' | '`' | '[' | ']' | '(' | ')' | '#' | '<' | '>' | '~' | '|' | '!' | '\\' | '&' | '@' => {
            full_width(*c)
        }
        c if c.is_control() => ' ',
        c => *c,
    });
    escaped.collect()
}

/// U+FF01 to U+FF5E are U+0021 to U+007E, wide.
fn full_width(c: char) -> char {
    char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap_or(' ')
}

/// For HTML as Telegram reads it: `<`, `>` and `&` (Bot API, “HTML style”).
pub(super) fn html(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// For Slack's mrkdwn: the three characters it controls (“Escaping text”). An address in `<…|…>` also
/// must not hold a `|`.
pub(super) fn slack(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Plain text in one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mean_something_means_nothing() {
        assert_eq!(markdown("<b>*x*"), "＜b＞＊x＊");
        assert_eq!(markdown("[a](http://e)\n# b"), "［a］（http://e） ＃ b");
        assert_eq!(markdown("open_router _x_ 中文"), "open_router ＿x＿ 中文");
        assert_eq!(html("<b>&\"x\r\n"), "&lt;b&gt;&amp;&quot;x  ");
        assert_eq!(slack("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
    }
}
