//! Writes what was agreed into the three texts of a file, so that a text merge finds no difference there.
//!
//! Only the parts that differ are written, and as the file writes them. Invariant: each text is read again by the editor,
//! and is the old one with exactly these changes.

use seal_crds::Format;
use seal_crds::resources::SealedSecretSpec;
use seal_documents::manifest::{Edited, Edits, Manifest, edit};
use seal_documents::yaml::tree::NodeId;
use seal_documents::yaml::written::Written;

use super::version::Version;
use super::{Agreed, Read};
use crate::objects::outline::Outline;
use crate::objects::sealing;

/// The three texts as they are merged line by line.
pub(super) struct Prepared {
    pub(super) base: String,
    pub(super) ours: String,
    pub(super) theirs: String,
    /// How many comments of our or their text went with a part that is written anew.
    pub(super) lost_comments: usize,
}

/// The texts of base, ours and theirs; `None` if one of them can't be edited.
pub(super) fn prepare(
    base: &Read<'_>,
    ours: &Read<'_>,
    theirs: &Read<'_>,
    agreed: &[Agreed],
) -> Option<Prepared> {
    let of_base = agreed.iter().filter_map(|agreed| Some((agreed.pair.base?, agreed.merged.base.as_ref()?)));
    let of_ours = agreed.iter().map(|agreed| (agreed.pair.ours, &agreed.merged.ours));
    let of_theirs = agreed.iter().map(|agreed| (agreed.pair.theirs, &agreed.merged.theirs));
    let (base, ours, theirs) = (edited(base, of_base)?, edited(ours, of_ours)?, edited(theirs, of_theirs)?);
    let lost_comments = ours.lost_comments.len().max(theirs.lost_comments.len());
    Some(Prepared { base: base.text, ours: ours.text, theirs: theirs.text, lost_comments })
}

/// One side's text as the whole result.
pub(super) struct OneSide {
    pub(super) text: String,
    /// How many comments went with what was agreed, on either side.
    pub(super) lost_comments: usize,
}

/// The whole result, if one side changed nothing but what is sealed: it is the other side with what was agreed. A text merge
/// can't find it where a whole object stands on one line.
pub(super) fn of_one_side(
    prepared: &Prepared,
    base: &Read<'_>,
    ours: &Read<'_>,
    theirs: &Read<'_>,
    agreed: &[Agreed],
) -> Option<OneSide> {
    let one_side = |text: &String, comments: usize| OneSide {
        text: text.clone(),
        lost_comments: prepared.lost_comments.max(comments),
    };
    let comments = comments_beside_what_is_sealed(theirs, base, agreed, |agreed| agreed.pair.theirs);
    if let Some(comments) = comments {
        return Some(one_side(&prepared.ours, comments));
    }
    comments_beside_what_is_sealed(ours, base, agreed, |agreed| agreed.pair.ours)
        .map(|comments| one_side(&prepared.theirs, comments))
}

/// How many comments a side has more, if it is the base once its sealed parts are those of the base, byte for byte. They
/// stand in the sealed parts.
fn comments_beside_what_is_sealed(
    side: &Read<'_>,
    base: &Read<'_>,
    agreed: &[Agreed],
    index: impl Fn(&Agreed) -> usize,
) -> Option<usize> {
    let former: Option<Vec<(usize, Version)>> = agreed
        .iter()
        .map(|agreed| Some((index(agreed), Version::of(&base.outlines[agreed.pair.base?]))))
        .collect();
    let former = former?;
    let versions = former.iter().map(|(index, version)| (*index, version));
    let Edited { text, lost_comments } = edited(side, versions)?;
    (text == base.manifest.source.text()).then_some(lost_comments.len())
}

fn edited<'v>(read: &Read<'_>, versions: impl Iterator<Item = (usize, &'v Version)>) -> Option<Edited> {
    let edits: Vec<Edits> = versions
        .filter_map(|(index, version)| edits(&read.manifest, &read.outlines[index], version))
        .collect();
    if edits.is_empty() {
        return Some(Edited { text: read.manifest.source.text().to_owned(), lost_comments: Vec::new() });
    }
    edit(&read.manifest, &edits).ok()
}

/// The changes that make an object say a version; `None` if it does.
fn edits(manifest: &Manifest<'_>, outline: &Outline, version: &Version) -> Option<Edits> {
    let now = Version::of(outline);
    if now == *version {
        return None;
    }
    let object = &manifest.objects[outline.object];
    let tree = manifest.tree(object);
    let node = |path: &[&str]| path.iter().try_fold(object.node, |node, key| tree.get(node, key));
    let mut replaced: Vec<(NodeId, Written)> = Vec::new();
    match (outline.format, version.scope) {
        // A field that isn't there yet can only be written with the mapping around it.
        (Format::Native, Some(scope)) if now.template != version.template => {
            let spec = SealedSecretSpec {
                scope,
                envelopes: version.envelopes.clone(),
                encrypted_data: version.items.clone(),
                template: version.template.clone(),
            };
            replaced.extend(node(&["spec"]).map(|node| (node, sealing::spec_value(&spec))));
        }
        (format, scope) => {
            let items = node(&["spec", "encryptedData"]);
            replaced.extend(items.map(|node| (node, Written::strings(&version.items))));
            let whole = node(&["spec", "data"]).zip(version.whole.clone());
            replaced.extend(whole.map(|(node, text)| (node, Written::text(text))));
            if format == Format::Native {
                let scope = node(&["spec", "scope"]).zip(scope);
                replaced.extend(scope.map(|(node, scope)| (node, Written::text(scope.as_str()))));
                let envelopes = node(&["spec", "envelopes"]);
                replaced.extend(envelopes.map(|node| (node, sealing::envelopes_value(&version.envelopes))));
            }
        }
    }
    Some(Edits { document: object.document, replaced, removed: Vec::new() })
}
