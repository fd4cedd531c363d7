//! A set of fields, in the encoding `FieldsV1` of structured-merge-diff: nested objects, whose keys are path
//! segments. The segment `.` means the container itself, and is ignored here.
//!
//! [`super`] says who owns the fields. Invariant: a set holds leaves only, and a set that is read from an
//! entry and written back stays the same.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use seal_crds::Shape;
use seal_crds::resources::DIGEST_ANNOTATION;
use seal_crds::secret::Mark;
use serde_json::{Map, Value};

const DATA: [&str; 1] = ["f:data"];
const LABELS: [&str; 2] = ["f:metadata", "f:labels"];
const ANNOTATIONS: [&str; 2] = ["f:metadata", "f:annotations"];
pub(super) const OWNERS: [&str; 2] = ["f:metadata", "f:ownerReferences"];

/// A set of leaf fields, each a path of `FieldsV1` segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(pub(super) BTreeSet<Vec<String>>);

impl FieldSet {
    /// The fields that we apply to a Secret of this shape. `owner_uid` is the SealedSecret's uid if it owns
    /// the Secret; `type_` says whether we set the Secret's type.
    pub(crate) fn expected(shape: &Shape, owner_uid: Option<&str>, type_: bool) -> Self {
        let mut set = Self::default();
        shape.keys.iter().for_each(|key| set.add(&DATA, &format!("f:{key}")));
        shape.labels.keys().for_each(|key| set.add(&LABELS, &format!("f:{key}")));
        shape.annotations.keys().for_each(|key| set.add(&ANNOTATIONS, &format!("f:{key}")));
        set.add(&ANNOTATIONS, &format!("f:{DIGEST_ANNOTATION}"));
        if let Some(uid) = owner_uid {
            set.add(&OWNERS, &owner_segment(uid));
        }
        if type_ {
            set.add(&[], "f:type");
        }
        if shape.immutable == Some(true) {
            set.add(&[], "f:immutable");
        }
        set
    }

    /// The fields of labels and annotations with these keys.
    pub(crate) fn of_metadata<'k>(
        labels: impl IntoIterator<Item = &'k String>,
        annotations: impl IntoIterator<Item = &'k String>,
    ) -> Self {
        let mut set = Self::default();
        labels.into_iter().for_each(|key| set.add(&LABELS, &format!("f:{key}")));
        annotations.into_iter().for_each(|key| set.add(&ANNOTATIONS, &format!("f:{key}")));
        set
    }

    fn add(&mut self, container: &[&str], segment: &str) {
        let path = container.iter().chain([&segment]).map(|&segment| segment.to_owned());
        self.0.insert(path.collect());
    }

    /// The keys of `data` in the set.
    pub(crate) fn data(&self) -> impl Iterator<Item = &str> {
        self.names(&DATA)
    }

    /// The keys of labels in the set.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.names(&LABELS)
    }

    /// The keys of annotations in the set.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = &str> {
        self.names(&ANNOTATIONS)
    }

    fn names<'s>(&'s self, container: &'s [&str]) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter_map(move |path| {
            let (last, above) = path.split_last()?;
            last.strip_prefix("f:").filter(|_| above == container)
        })
    }

    /// The fields of values, labels and annotations.
    pub(super) fn content(self) -> Self {
        let kept = |path: &Vec<String>| {
            let above = &path[..path.len() - 1];
            above == DATA || above == LABELS || above == ANNOTATIONS
        };
        Self(self.0.into_iter().filter(kept).collect())
    }

    /// The labels and annotations by which tools recognize their own objects, or in which they keep a copy of
    /// them.
    pub(super) fn tracking_marks(&self) -> Self {
        let marks = |key: &&str| Mark::of(key).is_some_and(|mark| mark != Mark::Controller);
        let labels: Vec<String> = self.labels().filter(marks).map(str::to_owned).collect();
        let annotations: Vec<String> = self.annotations().filter(marks).map(str::to_owned).collect();
        Self::of_metadata(&labels, &annotations)
    }

    pub(crate) fn union(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.0.retain(|path| !other.0.contains(path));
        self
    }

    pub(crate) fn has_digest(&self) -> bool {
        self.annotations().any(|key| key == DIGEST_ANNOTATION)
    }

    pub(super) fn has_string_data(&self) -> bool {
        self.0.iter().any(|path| path[0] == "f:stringData")
    }

    pub(crate) fn has_type(&self) -> bool {
        self.0.iter().any(|path| path == &["f:type"])
    }

    pub(crate) fn has_immutable(&self) -> bool {
        self.0.iter().any(|path| path == &["f:immutable"])
    }

    pub(super) fn is_digest_or_owner(&self) -> bool {
        let digest = format!("f:{DIGEST_ANNOTATION}");
        self.0.iter().all(|path| path[..path.len() - 1] == OWNERS || path.last() == Some(&digest))
    }

    pub(super) fn has_owner_reference(&self) -> bool {
        self.0.iter().any(|path| path.len() > 2 && path[..2] == OWNERS)
    }

    pub(super) fn of(entry: &ManagedFieldsEntry) -> Self {
        let mut set = BTreeSet::new();
        if let Some(FieldsV1(fields)) = &entry.fields_v1 {
            collect(fields, &mut Vec::new(), &mut set);
        }
        Self(set)
    }

    pub(crate) fn to_fields_v1(&self) -> FieldsV1 {
        let mut root = Value::Object(Map::new());
        for path in &self.0 {
            let mut at = &mut root;
            for segment in path {
                at = &mut at[segment.as_str()];
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
            }
        }
        FieldsV1(root)
    }

    /// The fields in both sets.
    pub(super) fn shared_with(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    pub(super) fn shares_a_field_with(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }
}

pub(super) fn owner_segment(uid: &str) -> String {
    format!("k:{}", serde_json::json!({ "uid": uid }))
}

fn collect(fields: &Value, path: &mut Vec<String>, out: &mut BTreeSet<Vec<String>>) {
    let children = fields.as_object().into_iter().flatten().filter(|(segment, _)| *segment != ".");
    let mut is_leaf = true;
    for (segment, child) in children {
        is_leaf = false;
        path.push(segment.clone());
        collect(child, path, out);
        path.pop();
    }
    if is_leaf && !path.is_empty() {
        out.insert(path.clone());
    }
}
