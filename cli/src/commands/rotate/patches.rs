//! Patches with items and without envelopes, as a kustomize overlay has them.
//!
//! Such items are sealed under data keys of the object that is patched. That object has to keep these keys when it is
//! rotated, and it does if both are among the files. Invariant: a patch whose object isn't there is named.

use std::collections::BTreeSet;

use seal_crds::Format;
use seal_documents::manifest::{Kind, Object};

use crate::files::repository::{Line, Lines, ManifestFile};
use crate::objects::outline;
use crate::objects::rotation;
use crate::objects::sealed::{self, Extent};

/// The patches with items among the files.
#[derive(Default)]
pub(super) struct Patches {
    /// The data keys of all their items.
    pub(super) used: BTreeSet<String>,
    found: Vec<Patch>,
}

/// A patch with items.
struct Patch {
    /// The index of its file.
    file: usize,
    /// The byte offset in the file.
    at: usize,
    name: String,
    data_keys: BTreeSet<String>,
}

impl Patches {
    pub(super) fn of(files: &[ManifestFile<'_>]) -> Self {
        let mut patches = Self::default();
        for (file, ManifestFile { manifest, .. }) in files.iter().enumerate() {
            let is_patch = |object: &Object| {
                object.kind == Kind::SealedSecret
                    && matches!(sealed::format(manifest, object), Ok(Format::Native))
                    && sealed::extent(manifest, object, Format::Native) == Extent::PatchWithItems
            };
            for (index, _) in manifest.objects.iter().enumerate().filter(|(_, object)| is_patch(object)) {
                let outline = outline::read(manifest, index);
                let data_keys: BTreeSet<String> =
                    outline.used_keys().into_iter().map(str::to_owned).collect();
                let name = outline.object_name.to_string();
                patches.used.extend(data_keys.iter().cloned());
                patches.found.push(Patch { file, at: outline.at, name, data_keys });
            }
        }
        patches
    }

    /// A line for each patch whose items have no data key in a whole object of these files. Any of them could be rotated
    /// without it, and lose the key.
    pub(super) fn lost(&self, files: &[ManifestFile<'_>]) -> Vec<Line> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let mut held = BTreeSet::new();
        for ManifestFile { manifest, .. } in files {
            let objects = manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret);
            let native =
                objects.filter(|object| matches!(sealed::format(manifest, object), Ok(Format::Native)));
            // One that can't be read is reported elsewhere.
            let whole = native.filter_map(|object| rotation::read_native(manifest, object).ok().flatten());
            held.extend(whole.flat_map(|found| found.sealed.data_keys()));
        }
        let lost = self.found.iter().filter(|patch| !patch.data_keys.is_subset(&held));
        let line = |patch: &Patch| {
            let text = format!(
                "{}: left: it is a patch, and no object in these files has the data keys of its items; rotate it together \
                 with the object that it patches",
                patch.name
            );
            Lines::new(files[patch.file].manifest.source).line(patch.at, &text)
        };
        lost.map(line).collect()
    }
}
