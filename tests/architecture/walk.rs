//! Reads one source file as tokens and reports every path in it, absolutely.
//!
//! Tokens, not text: comments and strings cannot trip a rule, and a path inside a macro counts.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path as it was written, resolved to the crate's root or to a foreign crate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Line in the file, from 1.
    pub(crate) line: usize,
    /// `["crate", "server", "store"]`, or `["sqlx", "query"]`.
    pub(crate) path: Vec<String>,
}

/// What a file says that the rules judge.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Every path outside of test modules.
    pub(crate) paths: Vec<Found>,
    /// Lines with `cfg(feature = …)` in any form.
    pub(crate) gates: Vec<usize>,
    /// Lines with a `static` item.
    pub(crate) statics: Vec<usize>,
    /// Every identifier outside of test modules, with its line.
    pub(crate) words: Vec<(usize, String)>,
}

/// Walks `source`, which is the module `module` of the crate (empty: its root).
pub(crate) fn walk(source: &str, module: &[String]) -> Result<Facts, String> {
    let tokens: TokenStream = source.parse().map_err(|error| format!("not Rust: {error}"))?;
    let mut facts = Facts::default();
    visit(tokens, module, &mut facts);
    Ok(facts)
}

fn visit(tokens: TokenStream, module: &[String], facts: &mut Facts) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(name) = inline_module(&tokens[at..]) {
            if let Some(TokenTree::Group(body)) = tokens.get(at + 2)
                && !is_test(&tokens[..at], &name)
            {
                let inner: Vec<String> = module.iter().cloned().chain([name]).collect();
                visit(body.stream(), &inner, facts);
            }
            at += 3;
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                let word = ident.to_string();
                judge_word(&word, line, &tokens, at, facts);
                if starts_path(&tokens, at) {
                    let mut written = Vec::new();
                    let next = collect(&tokens, at, Vec::new(), &mut written, facts);
                    facts.paths.extend(written.into_iter().map(|path| Found { line, path: resolve(path, module) }));
                    at = next;
                    continue;
                }
            }
            TokenTree::Group(group) => visit(group.stream(), module, facts),
            _ => {}
        }
        at += 1;
    }
}

fn judge_word(word: &str, line: usize, tokens: &[TokenTree], at: usize, facts: &mut Facts) {
    facts.words.push((line, word.to_owned()));
    let lifetime = at > 0 && is_punct(&tokens[at - 1], '\'');
    let closure = matches!(tokens.get(at + 1), Some(token) if is_punct(token, '|') || is_ident(token, "move"));
    if word == "static" && !lifetime && !closure {
        facts.statics.push(line);
    }
    if word == "cfg" || word == "cfg_attr" {
        let group = tokens[at + 1..].iter().take(2).find_map(|token| match token {
            TokenTree::Group(group) => Some(group.stream()),
            _ => None,
        });
        if group.is_some_and(|inner| mentions(inner, "feature")) {
            facts.gates.push(line);
        }
    }
}

/// `mod name { … }` at the start of `tokens`.
fn inline_module(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..]
            if word == "mod" && body.delimiter() == Delimiter::Brace =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
}

/// A module for tests by its name, or by the attribute just before it.
fn is_test(before: &[TokenTree], name: &str) -> bool {
    let attribute = before.iter().rev().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group.stream()),
        _ => None,
    });
    name == "tests" || attribute.is_some_and(|inner| inner.to_string().replace(' ', "") == "cfg(test)")
}

fn starts_path(tokens: &[TokenTree], at: usize) -> bool {
    let after_use = at > 0 && is_ident(&tokens[at - 1], "use");
    let continues = at > 1 && is_colons(&tokens[at - 2..]) && at > 2 && follows_segment(&tokens[at - 3]);
    let method = at > 0 && is_punct(&tokens[at - 1], '.');
    let keyword = is_ident(&tokens[at], "use") || is_ident(&tokens[at], "return");
    !keyword && !continues && !method && (after_use || is_colons(tokens.get(at + 1..).unwrap_or_default()))
}

fn follows_segment(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => word != "use" && word != "return",
        TokenTree::Punct(punct) => punct.as_char() == '>',
        _ => false,
    }
}

/// Reads a path, or a `use` tree, from `at`; returns where reading goes on.
fn collect(
    tokens: &[TokenTree],
    mut at: usize,
    prefix: Vec<String>,
    out: &mut Vec<Vec<String>>,
    facts: &mut Facts,
) -> usize {
    let mut path = prefix;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => {
                path.push(ident.to_string());
                if path.len() > 1 {
                    facts.words.push((ident.span().start().line, ident.to_string()));
                }
                at += 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                branches(group.stream(), &path, out, facts);
                return at + 1;
            }
            _ => break,
        }
        if !is_colons(tokens.get(at..).unwrap_or_default()) {
            break;
        }
        at += 2;
    }
    out.push(path);
    at
}

/// The comma-separated branches of `use a::{b, c::d}`.
fn branches(tokens: TokenStream, prefix: &[String], out: &mut Vec<Vec<String>>, facts: &mut Facts) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for branch in tokens.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty()) {
        collect(branch, 0, prefix.to_vec(), out, facts);
    }
}

fn resolve(path: Vec<String>, module: &[String]) -> Vec<String> {
    let mut base = match path[0].as_str() {
        "crate" | "rondo" => return std::iter::once("crate".to_owned()).chain(path.into_iter().skip(1)).collect(),
        "self" | "super" => module.to_vec(),
        _ => return path,
    };
    let mut rest = path.into_iter().peekable();
    while let Some(step) = rest.next_if(|step| step == "super" || step == "self") {
        if step == "super" {
            base.pop();
        }
    }
    std::iter::once("crate".to_owned()).chain(base).chain(rest).collect()
}

fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        _ => false,
    })
}

fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_colons(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(first), TokenTree::Punct(second), ..]
        if first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':')
}
