//! Merges three versions of a file that holds SealedSecrets, without a key.
//!
//! ```text
//! base, ours, theirs ──► pair the objects ──► merge each, item by item ([`object`])
//!                    ──► write what was agreed into all three texts ([`text`])
//!                    ──► text merge, which is left with comments, other documents and true conflicts
//!                    ──► read the result, and compare it with what was agreed ([`proof`])
//! ```
//!
//! A text merge alone is wrong here: it is clean where two sides each remove one of two items of an envelope, and the
//! result is refused; and it conflicts where each adds an item. The caller reads the files, runs `git merge-file`, and
//! writes. Invariants: a text that is called clean was parsed, and each of its SealedSecrets is the one that was agreed on
//! or that of one side; the same holds for what either choice makes of a text with markers; an envelope is taken whole or not
//! at all; where no rule decides, the answer is a conflict.

mod object;
mod pairs;
mod proof;
mod reopened;
mod text;
mod three_way;
mod version;

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;

use crate::objects::conflict::{self, Labels, Side};
use crate::objects::outline::{self, Outline};
use pairs::Pair;
use text::OneSide;

/// The three versions of a file.
pub(crate) struct Versions<'s> {
    pub(crate) base: &'s Source,
    pub(crate) ours: &'s Source,
    pub(crate) theirs: &'s Source,
}

/// Three texts to be merged line by line.
pub(crate) struct Texts<'t> {
    pub(crate) base: &'t str,
    pub(crate) ours: &'t str,
    pub(crate) theirs: &'t str,
}

/// The result of a line-by-line merge.
pub(crate) struct TextMerge {
    pub(crate) text: String,
    pub(crate) is_clean: bool,
}

/// What the caller brings along.
pub(crate) trait Help {
    type Error;

    /// Merges line by line, as `git merge-file` does, with the same labels and length of markers.
    fn merge_lines(&self, texts: &Texts<'_>) -> Result<TextMerge, Self::Error>;

    /// Whether either line of an item may stand for the other: the value is the same, its use in templates, and everybody
    /// who can read it or ever could. `false` if nobody at hand can tell.
    fn is_same_item(&self, ours: &Found<'_>, theirs: &Found<'_>, item: &str) -> bool;
}

/// A SealedSecret in the manifest that it stands in.
pub(crate) struct Found<'f> {
    pub(crate) manifest: &'f Manifest<'f>,
    pub(crate) outline: &'f Outline,
}

/// The outcome of a merge.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) text: String,
    /// One line for each SealedSecret that needs a person, in the order of the file.
    pub(crate) conflicts: Vec<String>,
    pub(crate) is_clean: bool,
    /// How many comments went with an envelope that they stood in.
    pub(crate) lost_comments: usize,
    /// What is merged by the rules, and a person may not expect.
    pub(crate) notes: Vec<String>,
}

/// One version of the file, read.
struct Read<'s> {
    manifest: Manifest<'s>,
    outlines: Vec<Outline>,
}

impl<'s> Read<'s> {
    fn new(source: &'s Source) -> Option<Self> {
        let manifest = Manifest::parse(source).ok()?;
        let outlines = outline::read_all(&manifest);
        Some(Self { manifest, outlines })
    }

    fn found(&'s self, index: usize) -> Found<'s> {
        Found { manifest: &self.manifest, outline: &self.outlines[index] }
    }
}

/// The versions of a file, read.
#[derive(Clone, Copy)]
struct Reads<'r, 's> {
    /// `None` if it can't be read.
    base: Option<&'r Read<'s>>,
    ours: &'r Read<'s>,
    theirs: &'r Read<'s>,
}

/// Merges a file.
///
/// # Errors
///
/// The text merge couldn't be run.
pub(crate) fn merge<H: Help>(versions: &Versions<'_>, labels: &Labels, help: &H) -> Result<Merged, H::Error> {
    let originals =
        Texts { base: versions.base.text(), ours: versions.ours.text(), theirs: versions.theirs.text() };
    let read = (Read::new(versions.base), Read::new(versions.ours), Read::new(versions.theirs));
    let (base, Some(ours), Some(theirs)) = &read else { return plainly(&originals, help) };
    if ours.outlines.is_empty() || theirs.outlines.is_empty() {
        return plainly(&originals, help);
    }
    // Where branches were merged into each other before, git makes the base by a merge, and its conflicts stand in it.
    let reads = Reads { base: base.as_ref(), ours, theirs };
    let Some(base) = base else { return unlike_either(&originals, labels, &reads, help) };
    let mut conflicts = Vec::new();
    let mut agreed = Vec::new();
    let mut notes = Vec::new();
    for pair in pairs::pairs(&base.outlines, &ours.outlines, &theirs.outlines) {
        let name = ours.outlines[pair.ours].object_name.to_string();
        let is_same =
            |item: &str| help.is_same_item(&ours.found(pair.ours), &theirs.found(pair.theirs), item);
        match pairs::merge(&pair, base, ours, theirs, is_same) {
            Ok(Some(merged)) => {
                conflicts.extend(merged.describe().map(|what| format!("{name}: {what}")));
                let sides = [&ours.outlines[pair.ours], &theirs.outlines[pair.theirs]];
                let before = pair.base.map(|index| &base.outlines[index]);
                let reopened = before.into_iter().flat_map(|before| reopened::reopened(before, sides));
                notes.extend(reopened.map(|what| format!("{name}: {what}")));
                agreed.push(Agreed { pair, merged });
            }
            Ok(None) => {}
            Err(reason) => {
                conflicts.push(format!("{name}: {reason}"));
                return whole(&originals, labels, &reads, conflicts, help);
            }
        }
    }
    conflicts.extend(pairs::removed_and_changed(&base.outlines, &ours.outlines, &theirs.outlines));
    let Some(prepared) = text::prepare(base, ours, theirs, &agreed) else {
        conflicts.push("the file is laid out in a way that can't be edited".to_owned());
        return whole(&originals, labels, &reads, conflicts, help);
    };
    let lost_comments = prepared.lost_comments;
    let texts = Texts { base: &prepared.base, ours: &prepared.ours, theirs: &prepared.theirs };
    let TextMerge { text, is_clean } = help.merge_lines(&texts)?;
    if is_clean {
        return match proof::check(&text, &agreed, &reads) {
            Ok(()) if conflicts.is_empty() => Ok(Merged { text, conflicts, is_clean, lost_comments, notes }),
            Ok(()) => whole(&originals, labels, &reads, conflicts, help),
            Err(wrong) => {
                conflicts.push(wrong);
                whole(&originals, labels, &reads, conflicts, help)
            }
        };
    }
    if conflicts.is_empty()
        && let Some(OneSide { text, lost_comments }) =
            text::of_one_side(&prepared, base, ours, theirs, &agreed)
        && proof::check(&text, &agreed, &reads).is_ok()
    {
        return Ok(Merged { text, conflicts, is_clean: true, lost_comments, notes });
    }
    // Either choice has to be objects that open, or the markers stand in the wrong place.
    if let Err(wrong) = check_choices(&text, labels, &agreed, &reads) {
        conflicts.push(wrong);
        return whole(&originals, labels, &reads, conflicts, help);
    }
    Ok(Merged { text, conflicts, is_clean, lost_comments, notes })
}

/// Checks what a person gets by either choice in a text with markers.
fn check_choices(
    text: &str,
    labels: &Labels,
    agreed: &[Agreed],
    reads: &Reads<'_, '_>,
) -> Result<(), String> {
    for side in [Side::Ours, Side::Theirs] {
        let choice = conflict::take(text, labels.size, side);
        let choice = choice.ok_or("the markers of the text merge don't belong together")?;
        proof::check_choice(&choice, agreed, reads, side)?;
    }
    Ok(())
}

/// What was agreed on for one pair of objects.
struct Agreed {
    pair: Pair,
    merged: object::MergedObject,
}

/// Exactly what a text merge makes of it.
fn plainly<H: Help>(texts: &Texts<'_>, help: &H) -> Result<Merged, H::Error> {
    let TextMerge { text, is_clean } = help.merge_lines(texts)?;
    Ok(Merged { text, conflicts: Vec::new(), is_clean, lost_comments: 0, notes: Vec::new() })
}

/// A text merge that may choose between the sides for each object, and not mix them: nobody knows what they have in common.
fn unlike_either<H: Help>(
    texts: &Texts<'_>,
    labels: &Labels,
    reads: &Reads<'_, '_>,
    help: &H,
) -> Result<Merged, H::Error> {
    let merged = plainly(texts, help)?;
    let proof = if merged.is_clean {
        proof::check(&merged.text, &[], reads)
    } else {
        check_choices(&merged.text, labels, &[], reads)
    };
    match proof {
        Ok(()) => Ok(merged),
        Err(wrong) => whole(texts, labels, reads, vec![wrong], help),
    }
}

/// A conflict that no text merge may hide: its own markers if either choice leaves every object as it is on a side, else both
/// whole texts between markers.
///
/// The file can't stay as one of the sides, because then `git add` would lose the other without a word. And markers in
/// another document must not stand for an object that the text merge mixed.
fn whole<H: Help>(
    texts: &Texts<'_>,
    labels: &Labels,
    reads: &Reads<'_, '_>,
    conflicts: Vec<String>,
    help: &H,
) -> Result<Merged, H::Error> {
    let merged = help.merge_lines(texts)?;
    let shows_it = !merged.is_clean && check_choices(&merged.text, labels, &[], reads).is_ok();
    let text = if shows_it { merged.text } else { conflict::around(texts.ours, texts.theirs, labels) };
    Ok(Merged { text, conflicts, is_clean: false, lost_comments: 0, notes: Vec::new() })
}

#[cfg(test)]
mod tests;
