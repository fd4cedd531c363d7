//! A result whose objects differ from those of the destination, as when a Secret came or went: each object that stays is
//! taken from the destination, with its comments and its layout.
//!
//! Whole documents of YAML alone are taken; an item of a List is written anew. Invariant: the text is read again, and has the
//! objects of the result and nothing else; if it hasn't, the result is written anew, without the comments.

use seal_documents::manifest::{Manifest, Object, Slot, edit};
use seal_documents::source::Source;
use seal_documents::yaml::Syntax;
use zeroize::Zeroizing;

use super::unchanged::Sealed;

/// The result with the documents of the destination; `None` if none can be taken.
///
/// `anew` is the same result, written anew.
pub(super) fn piece(
    anew: &str,
    input: &Manifest<'_>,
    sealed: &[Sealed<'_>],
    present: &Manifest<'_>,
) -> Option<String> {
    let is_crlf = |text: &str| text.contains("\r\n");
    let is_yaml = input.syntax == Syntax::Yaml && present.syntax == Syntax::Yaml;
    if !is_yaml || is_crlf(anew) != is_crlf(present.source.text()) {
        return None;
    }
    let edits: Vec<_> = sealed.iter().filter_map(|sealed| sealed.current?.edits(&sealed.again)).collect();
    let edited =
        if edits.is_empty() { present.source.text().to_owned() } else { edit(present, &edits).ok()?.text };
    let (edited, anew) = (source(&edited), source(anew));
    let (edited, anew) = (Manifest::parse(&edited).ok()?, Manifest::parse(&anew).ok()?);
    if edited.objects.len() != present.objects.len() || anew.objects.len() != input.objects.len() {
        return None;
    }
    let mut text = anew.source.text().to_owned();
    // From the end, so that the ranges before stay right.
    for (object, written) in input.objects.iter().zip(&anew.objects).rev() {
        let current =
            sealed.iter().find(|sealed| std::ptr::eq(sealed.object, object)).and_then(|found| found.current);
        let Some(current) = current else { continue };
        let index = present.objects.iter().position(|there| std::ptr::eq(there, current.object))?;
        let there = &edited.objects[index];
        if written.slot != Slot::Document || there.slot != Slot::Document {
            continue;
        }
        let range = anew.tree(written).body.clone();
        let starts_line = range.start == 0 || text[..range.start].ends_with('\n');
        let body = edited.source.text()[edited.tree(there).body.clone()].trim_start_matches('\n');
        let (lead, end) = (if starts_line { "" } else { "\n" }, if body.ends_with('\n') { "" } else { "\n" });
        text.replace_range(range, &format!("{lead}{body}{end}"));
    }
    is_the_same(&source(&text), &anew).then_some(text)
}

fn source(text: &str) -> Source {
    Source::new(String::new(), Zeroizing::new(text.to_owned()))
}

/// Whether a text has the objects of a manifest, one by one, with the same meaning.
fn is_the_same(text: &Source, expected: &Manifest<'_>) -> bool {
    let Ok(found) = Manifest::parse(text) else { return false };
    let means_the_same = |(one, other): (&Object, &Object)| {
        let (one_spec, other_spec) = (found.spec(one).ok(), expected.spec(other).ok());
        one.kind == other.kind
            && match (one_spec, other_spec) {
                (Some(one), Some(other)) => one == other,
                (None, None) => words(&found, one) == words(expected, other),
                _ => false,
            }
    };
    found.objects.len() == expected.objects.len()
        && found.objects.iter().zip(&expected.objects).all(means_the_same)
}

fn words<'m>(manifest: &'m Manifest<'_>, object: &Object) -> &'m str {
    manifest.source.text()[manifest.tree(object).range(object.node)].trim_end()
}
