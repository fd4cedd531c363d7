//! The text that an editor gets: the items of a SealedSecret as lines of YAML, and what its lines mean when it comes back.
//!
//! Nothing is sealed or opened here. Invariants: what isn't changed in the text reads as unchanged; a value is read as
//! kubectl reads one, and what kubectl would convert is refused; no error repeats a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::{ItemName, Plaintext};
use seal_documents::manifest::{FieldError, Fields, text_of};
use seal_documents::source::Located;
use seal_documents::yaml::tree::{self, NodeId, NodeKind, ParseError, Style, Tree};
use seal_documents::yaml::written::Written;
use seal_foreign::is_unprintable;
use zeroize::Zeroizing;

/// What stands in the place of a value that isn't shown.
pub(super) const SEALED: &str = "<sealed>";
/// Lines that begin so are the command's, and go before the text is shown again.
const REMARK: &str = "#! ";

/// The items as they are shown: values, or `None` for those that aren't opened.
pub(super) type Shown = BTreeMap<ItemName, Option<Plaintext>>;

/// What the edited text asks for.
pub(super) struct Wanted {
    pub(super) put: BTreeMap<ItemName, Plaintext>,
    pub(super) removed: BTreeSet<ItemName>,
}

impl Wanted {
    pub(super) fn is_nothing(&self) -> bool {
        self.put.is_empty() && self.removed.is_empty()
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum TextError {
    #[error(transparent)]
    NotYaml(#[from] ParseError),
    #[error("the text isn't UTF-8")]
    NotText,
    #[error("the items are several documents")]
    Documents,
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("a key here isn't a Secret key (a-z, A-Z, 0-9, '-', '_' and '.')")]
    Item,
    #[error("item {0} is new and needs a value in the place of {SEALED}")]
    NoValue(ItemName),
    #[error("item {0} isn't base64 after !!binary")]
    NotBase64(ItemName),
}

impl TextError {
    /// What to try.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::NotYaml(error) => error.hint(),
            Self::Field(error) => error.hint(),
            _ => None,
        }
    }
}

/// The text for an editor. `head` becomes comments above the items.
pub(super) fn render(head: &str, items: &Shown) -> Zeroizing<String> {
    let longest = |value: &Option<Plaintext>| value.as_ref().map_or(16, |value| value.len() * 8 + 64);
    let room: usize = items.iter().map(|(name, value)| name.as_str().len() + longest(value) + 8).sum();
    // The buffer never grows, which would leave copies of values behind.
    let mut text = Zeroizing::new(String::with_capacity(room + head.len() * 2 + 64));
    for line in head.lines() {
        let _ = writeln!(text, "# {line}");
    }
    for (name, value) in items {
        let key = Written::text(name.as_str()).to_yaml(0);
        let key = key.trim_end();
        match value {
            None => {
                let _ = writeln!(text, "{key}: {SEALED}");
            }
            Some(value) => {
                let _ = writeln!(text, "{key}: {}", *shown(value.expose()));
            }
        }
    }
    text
}

/// A value as YAML: lines as a block, other text on one line, anything else in base64.
fn shown(value: &[u8]) -> Zeroizing<String> {
    let written = match std::str::from_utf8(value) {
        Ok(text) if is_block(text) => block(text),
        Ok(text) if text != SEALED => {
            let mut yaml = Written::text(text).to_yaml(0);
            let length = yaml.trim_end_matches('\n').len();
            yaml.truncate(length);
            yaml
        }
        _ => Zeroizing::new(String::new()),
    };
    // What wouldn't read back as it is can't be shown as text.
    let key = Zeroizing::new(format!("a: {}\n", *written));
    let reads_back = parse(key.as_bytes(), &Shown::new())
        .is_ok_and(|wanted| wanted.put.values().next().is_some_and(|read| read.expose() == value));
    if reads_back {
        written
    } else {
        Zeroizing::new(format!("!!binary {}", *Zeroizing::new(BASE64.encode(value))))
    }
}

/// Whether a text is lines that a block scalar can hold.
fn is_block(text: &str) -> bool {
    let inside = text.strip_suffix('\n').unwrap_or(text);
    let is_plain = |c: char| c == '\n' || c == '\t' || !is_unprintable(c);
    inside.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !inside.ends_with('\n')
        && text.chars().all(is_plain)
}

fn block(text: &str) -> Zeroizing<String> {
    let lines = text.matches('\n').count() + 1;
    let mut block = Zeroizing::new(String::with_capacity(text.len() + lines * 3 + 8));
    block.push_str(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block.push_str("  ");
            block.push_str(line);
        }
    }
    block
}

/// The text with a remark above it, in the place of the last one.
pub(super) fn with_remark(text: &[u8], remark: &str) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + remark.len() * 5 + 16));
    for line in remark.lines() {
        out.extend_from_slice(REMARK.as_bytes());
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').peekable();
    while lines.next_if(|line| line.starts_with(REMARK.as_bytes())).is_some() {}
    lines.for_each(|line| out.extend_from_slice(line));
    out
}

/// Whether a text has no line but comments: somebody gave up.
pub(super) fn is_blank(text: &[u8]) -> bool {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.into_iter().all(|line| line.is_empty() || line.starts_with(b"#"))
}

/// Reads the edited text. An item that stays `<sealed>`, or that has the value that was shown, isn't touched.
pub(super) fn parse(text: &[u8], shown: &Shown) -> Result<Wanted, Located<TextError>> {
    let text = std::str::from_utf8(text)
        .map_err(|error| Located { error: TextError::NotText, at: error.valid_up_to() })?;
    let documents = tree::parse(text, 0).map_err(|error| error.map(TextError::from))?;
    let mut wanted = Wanted { put: BTreeMap::new(), removed: shown.keys().cloned().collect() };
    let mut trees = documents.iter().filter_map(|tree| Some((tree, tree.root?)));
    let Some((tree, root)) = trees.next() else { return Ok(wanted) };
    if let Some((tree, root)) = trees.next() {
        return Err(Located { error: TextError::Documents, at: tree.range(root).start });
    }
    let fields = Fields::read(tree, root, "the text").map_err(|error| error.map(TextError::from))?;
    for field in fields.iter() {
        let located = |node: NodeId, error| Located { error, at: tree.range(node).start };
        let name: ItemName = field.key.parse().map_err(|_| located(field.key_id, TextError::Item))?;
        wanted.removed.remove(&name);
        if is_sealed(tree, field.value) {
            if !shown.contains_key(&name) {
                return Err(located(field.value, TextError::NoValue(name)));
            }
            continue;
        }
        let value = read(tree, text, &name, field.value)?;
        let is_same =
            shown.get(&name).and_then(Option::as_ref).is_some_and(|old| old.expose() == value.expose());
        if !is_same {
            wanted.put.insert(name, value);
        }
    }
    Ok(wanted)
}

fn is_sealed(tree: &Tree<'_>, node: NodeId) -> bool {
    matches!(tree.kind(node), NodeKind::Scalar { text, style: Style::Plain } if text.as_str() == SEALED)
}

fn read(tree: &Tree<'_>, text: &str, name: &ItemName, node: NodeId) -> Result<Plaintext, Located<TextError>> {
    let at = tree.range(node).start;
    match tree.kind(node) {
        NodeKind::Scalar { text: encoded, style: Style::Tagged } if has_binary_tag(text, at) => {
            let mut letters = Zeroizing::new(Vec::with_capacity(encoded.as_str().len()));
            letters.extend(encoded.as_str().bytes().filter(|byte| !byte.is_ascii_whitespace()));
            let value = BASE64.decode(&*letters);
            let value = value.map_err(|_| Located { error: TextError::NotBase64(name.clone()), at })?;
            Ok(Plaintext::from(value))
        }
        _ => {
            let value = text_of(tree, text, node, || format!("item {name}"));
            let value = value.map_err(|error| error.map(TextError::from))?;
            Ok(Plaintext::from(value.as_bytes().to_vec()))
        }
    }
}

/// Whether the tag before a scalar is `!!binary`. A block scalar has its mark in between.
fn has_binary_tag(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches([' ', '\n', '\r', '|', '>', '-', '+']);
    before.ends_with("!!binary")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> ItemName {
        name.parse().unwrap()
    }

    fn opened(values: &[(&str, &[u8])]) -> Shown {
        let value = |(name, value): &(&str, &[u8])| (item(name), Some(Plaintext::from(value.to_vec())));
        values.iter().map(value).collect()
    }

    const AWKWARD: [&[u8]; 22] = [
        b"",
        b"hunter2",
        b"on",
        b"0123",
        b"<sealed>",
        b" lead",
        b"trail ",
        b"one\n",
        b"one\ntwo",
        b"one\ntwo\n",
        b"one\n\n  two\n",
        b"one\ntwo\n\n",
        b"\none\ntwo",
        b" one\ntwo",
        b"one\r\ntwo\r\n",
        b"a\tb\nc",
        b"\x00\xff",
        b"# no comment\n#! nor this\n",
        b"---\n...\n",
        "\u{2028}\u{85}\u{feff}é😀".as_bytes(),
        b"|\n>\n",
        b"\xc3\x28",
    ];

    #[test]
    fn every_value_that_is_shown_reads_as_unchanged() {
        for value in AWKWARD {
            let shown = opened(&[("a", value), ("on", b"x")]);
            let text = render("about it\nand more", &shown);
            let wanted = parse(text.as_bytes(), &shown).map_err(|error| error.error.to_string());
            let wanted = wanted.unwrap_or_else(|error| panic!("{error}:\n{}", *text));
            assert!(wanted.is_nothing(), "{}", *text);
        }
    }

    #[test]
    fn lines_that_were_replaced_added_and_removed_are_told_apart_from_those_that_stay() {
        let shown: Shown = ["a", "b", "c"].map(|name| (item(name), None)).into();
        let text = render("", &shown);
        assert_eq!(*text, "a: <sealed>\nb: <sealed>\nc: <sealed>\n");
        assert!(parse(text.as_bytes(), &shown).ok().unwrap().is_nothing());
        let edited = "a: <sealed>\n# c\nb: \"new\"\nd: |\n  x\n  y\ne: !!binary AP8=\n";
        let wanted = parse(edited.as_bytes(), &shown).ok().unwrap();
        let put: Vec<_> = wanted.put.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(put, [("b", &b"new"[..]), ("d", b"x\ny\n"), ("e", b"\x00\xff")]);
        assert_eq!(wanted.removed, BTreeSet::from([item("c")]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_no_value_repeated() {
        let shown: Shown = [(item("a"), None)].into();
        for text in [
            "a: hunter2: x",
            "a: 12345",
            "a: yes",
            "a: [hunter2]",
            "a: {hunter2: x}",
            "a:",
            "hunter2",
            "- hunter2",
            "a: x\na: hunter2",
            "hunter2 : x\n? [hunter2]\n: x",
            "hunter2!: x",
            "new: <sealed>",
            "a: !!binary hunter2!",
            "a: !x hunter2",
            "a: x\n---\nb: hunter2",
            "<<: {a: hunter2}",
        ] {
            let error = parse(text.as_bytes(), &shown).err().unwrap_or_else(|| panic!("{text}")).error;
            assert!(!error.to_string().contains("hunter2!"), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2: x"), "{text}: {error}");
        }
        assert!(parse(b"a: \xff", &shown).is_err());
    }

    #[test]
    fn a_remark_takes_the_place_of_the_last_one() {
        let first = with_remark(b"# head\na: b\n", "error: x\nhint: y");
        assert_eq!(&first[..], b"#! error: x\n#! hint: y\n# head\na: b\n");
        assert_eq!(&with_remark(&first, "error: z")[..], b"#! error: z\n# head\na: b\n");
        assert!(is_blank(b"#! x\n\n # y\n") && !is_blank(b"# x\na: b"));
    }
}
