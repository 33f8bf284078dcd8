//! The paths that a module's source mentions, read from its tokens.
//!
//! Tokens are enough, because modules alone decide where a path leads. Comments and strings are single tokens, so
//! documentation that mentions a module imports nothing.

use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it is written, such as `["super", "queue", "Queue"]`.
pub(super) type Path = Vec<String>;

/// The uses, paths and child modules of one module.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) uses: Vec<Use>,
    /// Paths outside `use` declarations, single names included.
    pub(super) paths: Vec<Path>,
    /// `mod name;`, and `mod name { … }` with its source.
    pub(super) modules: Vec<(String, Option<Source>)>,
}

/// One name that a `use` brings into scope.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) path: Path,
    /// `*` for every name of a module, `_` for a trait without a name.
    pub(super) name: String,
    pub(super) public: bool,
}

impl Source {
    /// Reads a file, leaving out items that are compiled for tests only.
    pub(super) fn read(text: &str) -> Self {
        let tokens = TokenStream::from_str(text).expect("a file that compiles");
        let mut source = Self::default();
        source.take(&tokens.into_iter().collect::<Vec<_>>());
        source
    }

    fn take(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            at += match &tokens[at..] {
                [hash, TokenTree::Group(attribute), ..] if is(hash, '#') => {
                    if is_for_tests(&attribute.stream()) { 2 + item_length(&tokens[at + 2..]) } else { 2 }
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), end, ..] if word == "mod" => {
                    let inside = match end {
                        TokenTree::Group(group) => Some(Self::read_stream(group.stream())),
                        _ => None,
                    };
                    self.modules.push((name.to_string(), inside));
                    3
                }
                // `use<'a>` is part of a type.
                [TokenTree::Ident(word), next, ..] if word == "use" && !is(next, '<') => {
                    let length = tokens[at..].iter().take_while(|token| !is(token, ';')).count();
                    let public = is_public(&tokens[..at]);
                    let mut found = Vec::new();
                    read_tree(&tokens[at + 1..at + length], &[], &mut found);
                    self.uses.extend(found.into_iter().map(|(path, name)| Use { path, name, public }));
                    length
                }
                [TokenTree::Ident(_), ..] => {
                    let (path, length) = path(&tokens[at..]);
                    let before = at.checked_sub(1).map(|before| &tokens[before]);
                    // A name after a dot is a field or method; after `::`, a crate or an associated item.
                    if !before
                        .is_some_and(|before| is(before, '.') || is(before, ':') && is_path_end(tokens, at))
                    {
                        self.paths.push(path);
                    }
                    length
                }
                [TokenTree::Group(group), ..] => {
                    self.take(&group.stream().into_iter().collect::<Vec<_>>());
                    1
                }
                _ => 1,
            };
        }
    }

    fn read_stream(stream: TokenStream) -> Self {
        let mut source = Self::default();
        source.take(&stream.into_iter().collect::<Vec<_>>());
        source
    }
}

fn is(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Tells `::` from the single `:` before a type.
fn is_path_end(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is(&tokens[at - 2], ':')
}

/// Returns the path that these tokens begin with, and its length in tokens. Generic arguments end it.
fn path(tokens: &[TokenTree]) -> (Path, usize) {
    let (mut path, mut at) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        path.push(name.to_string());
        at += 1;
        match &tokens[at..] {
            [first, second, TokenTree::Ident(_), ..] if is(first, ':') && is(second, ':') => at += 2,
            _ => break,
        }
    }
    (path, at)
}

/// Reads the tree between `use` and `;`.
fn read_tree(tokens: &[TokenTree], above: &[String], found: &mut Vec<(Path, String)>) {
    // A leading `::` names another crate.
    if tokens.first().is_some_and(|first| is(first, ':')) {
        return;
    }
    let (mut path, length) = path(tokens);
    path.splice(0..0, above.iter().cloned());
    let rest = &tokens[length..];
    let rest = if rest.len() > 1 && is(&rest[0], ':') { &rest[2..] } else { rest };
    match rest {
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
            let inside: Vec<_> = group.stream().into_iter().collect();
            for branch in inside.split(|token| is(token, ',')) {
                read_tree(branch, &path, found);
            }
        }
        [star, ..] if is(star, '*') => found.push((path, "*".to_owned())),
        [TokenTree::Ident(word), TokenTree::Ident(name), ..] if word == "as" => {
            found.push((without_self(path), name.to_string()));
        }
        _ => {
            let path = without_self(path);
            if let Some(name) = path.last().cloned() {
                found.push((path, name));
            }
        }
    }
}

/// `a::{self}` is `a`.
fn without_self(mut path: Path) -> Path {
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    path
}

fn is_public(before: &[TokenTree]) -> bool {
    let ([.., word, TokenTree::Group(_)] | [.., word]) = before else { return false };
    matches!(word, TokenTree::Ident(word) if word == "pub")
}

/// `cfg(test)` and `cfg(all(test, …))`.
fn is_for_tests(attribute: &TokenStream) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text.starts_with("cfg(test)") || text.starts_with("cfg(all(test,")
}

/// Returns the length in tokens of the item that begins here, including its other attributes.
fn item_length(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| {
        is(token, ';') || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
    };
    tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1)
}
