//! Labels and annotations of a Secret: the rules for legal ones, and the marks that a Secret doesn't get.
//!
//! The author decides about labels and annotations. They go on the Secret as the template says them, also those that
//! other tools act on: Argo CD finds its repositories by a label, Flux reacts to Secrets with one. Invariant: only
//! [`Mark`]s are left out, and each of them is reported ([`Metadata::left_out`]).

use std::collections::BTreeMap;
use std::fmt;

use super::SecretError;
use crate::names::is_dns_subdomain;

/// The most bytes of all annotation keys and values together: 256 KiB (apimachinery's `TotalAnnotationSizeLimitB`).
pub(super) const MAX_ANNOTATIONS_SIZE: usize = 256 * 1024;

/// The most bytes of all label keys and values together: 64 KiB. Kubernetes has no limit of its own.
pub(super) const MAX_LABELS_SIZE: usize = 64 * 1024;

/// The reason why a label or annotation doesn't go on a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It tells a controller of SealedSecrets what a Secret was made from, who may take it over, or that it is a
    /// sealing key. A manifest that could write it would speak for the controller.
    Controller,
    /// A tool writes it on the objects that it applies, to recognize them later. On the Secret it would be untrue, and
    /// some tools delete an object that carries their mark and isn't in Git.
    Tracking(&'static str),
    /// A tool keeps a copy of the applied object in it, which includes the values of a Secret.
    Copy(&'static str),
}

/// The marks that tools track their objects by: key and tool.
const TRACKING: [(&str, &str); 21] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/installation-id", "Argo CD"),
    // The label that Argo CD's documentation gives to those who don't want it to track by app.kubernetes.io/instance,
    // which is everybody's.
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("kustomize.toolkit.fluxcd.io/namespace", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/namespace", "Flux"),
    ("resourceset.fluxcd.controlplane.io/name", "Flux"),
    ("resourceset.fluxcd.controlplane.io/namespace", "Flux"),
    ("fluxcd.controlplane.io/name", "Flux"),
    ("fluxcd.controlplane.io/namespace", "Flux"),
    ("applyset.kubernetes.io/part-of", "kubectl"),
    ("config.k8s.io/owning-inventory", "kpt"),
    ("objectset.rio.cattle.io/hash", "Rancher"),
    ("objectset.rio.cattle.io/id", "Rancher"),
    ("objectset.rio.cattle.io/owner-gvk", "Rancher"),
    ("objectset.rio.cattle.io/owner-name", "Rancher"),
    ("objectset.rio.cattle.io/owner-namespace", "Rancher"),
    ("kapp.k14s.io/app", "kapp"),
    ("kapp.k14s.io/association", "kapp"),
    ("kapp.k14s.io/identity", "kapp"),
];

/// The annotations in which tools keep copies: key and tool.
const COPIES: [(&str, &str); 5] = [
    ("kubectl.kubernetes.io/last-applied-configuration", "kubectl"),
    ("kubecfg.ksonnet.io/last-applied-configuration", "kubecfg"),
    ("objectset.rio.cattle.io/applied", "Rancher"),
    ("kapp.k14s.io/original", "kapp"),
    ("banzaicloud.com/last-applied", "an operator"),
];

impl Mark {
    /// The mark of a label's or annotation's key; `None` if the key goes on the Secret.
    pub fn of(key: &str) -> Option<Self> {
        const CONTROLLERS: [&str; 2] = ["sealing.dev/", "sealedsecrets.bitnami.com/"];
        let tool = |marks: &[(&str, &'static str)]| {
            marks.iter().find(|(mark, _)| *mark == key).map(|(_, tool)| *tool)
        };
        if CONTROLLERS.iter().any(|prefix| key.starts_with(prefix)) {
            return Some(Self::Controller);
        }
        tool(&TRACKING).map(Self::Tracking).or_else(|| tool(&COPIES).map(Self::Copy))
    }
}

impl fmt::Display for Mark {
    /// The reason, as the rest of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller => f.write_str("only a controller of SealedSecrets writes it"),
            Self::Tracking(tool) => write!(f, "{tool} knows what it applied by it"),
            Self::Copy(tool) => write!(f, "{tool} keeps a copy of the values in it"),
        }
    }
}

/// A label or annotation of a template that the Secret doesn't get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// `label` or `annotation`.
    pub what: &'static str,
    /// The key: a qualified name.
    pub key: String,
    /// The reason why the Secret doesn't get it.
    pub mark: Mark,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.what, self.key, self.mark)
    }
}

/// The labels and annotations of a template, sorted into those that the Secret gets and those that it doesn't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Labels that the Secret gets.
    pub labels: BTreeMap<String, String>,
    /// Annotations that the Secret gets.
    pub annotations: BTreeMap<String, String>,
    /// Labels and annotations that the Secret doesn't get.
    pub left_out: Vec<LeftOut>,
}

impl Metadata {
    /// Sorts labels and annotations into those that the Secret gets and those that it doesn't. An annotation with a
    /// mark still goes on the Secret if `keeps` is true for its key and value.
    ///
    /// # Errors
    ///
    /// [`SecretError::MalformedKey`], also for a key that would be left out, because people are told of it.
    /// [`SecretError::MalformedLabelValue`], [`SecretError::LabelsTooLarge`], [`SecretError::AnnotationsTooLarge`].
    pub fn sort(
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
        keeps: impl Fn(&str, &str) -> bool,
    ) -> Result<Self, SecretError> {
        let mut sorted = Self::default();
        for (key, value) in labels {
            if sorted.leaves_out("label", key)? {
                continue;
            }
            check_label(key, value)?;
            sorted.labels.insert(key.clone(), value.clone());
        }
        let size = sorted.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > MAX_LABELS_SIZE {
            return Err(SecretError::LabelsTooLarge(size));
        }
        for (key, value) in annotations {
            if keeps(key, value) || !sorted.leaves_out("annotation", key)? {
                sorted.annotations.insert(key.clone(), value.clone());
            }
        }
        check_annotations(&sorted.annotations)?;
        Ok(sorted)
    }

    fn leaves_out(&mut self, what: &'static str, key: &str) -> Result<bool, SecretError> {
        let Some(mark) = Mark::of(key) else { return Ok(false) };
        check_key(what, key)?;
        self.left_out.push(LeftOut { what, key: key.to_owned(), mark });
        Ok(true)
    }
}

/// Checks one label against Kubernetes' rules.
///
/// # Errors
///
/// [`SecretError::MalformedKey`], [`SecretError::MalformedLabelValue`].
pub fn check_label(key: &str, value: &str) -> Result<(), SecretError> {
    check_key("label", key)?;
    let value_ok = value.is_empty() || is_qualified_part(value);
    if value_ok { Ok(()) } else { Err(SecretError::MalformedLabelValue { key: key.to_owned() }) }
}

/// Checks annotations against Kubernetes' rules.
///
/// # Errors
///
/// [`SecretError::MalformedKey`], [`SecretError::AnnotationsTooLarge`].
pub fn check_annotations<'a>(
    annotations: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<(), SecretError> {
    let mut size = 0;
    for (key, value) in annotations {
        check_key("annotation", key)?;
        size += key.len() + value.len();
    }
    if size > MAX_ANNOTATIONS_SIZE { Err(SecretError::AnnotationsTooLarge(size)) } else { Ok(()) }
}

fn check_key(what: &'static str, key: &str) -> Result<(), SecretError> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    // The apiserver lower-cases annotation keys before it checks them. It doesn't lower-case label keys, so their
    // prefix must be lower case.
    let prefix_ok = prefix.is_none_or(|prefix| match what {
        "annotation" => is_dns_subdomain(&prefix.to_ascii_lowercase()),
        _ => is_dns_subdomain(prefix),
    });
    if prefix_ok && is_qualified_part(name) {
        Ok(())
    } else {
        Err(SecretError::MalformedKey { what, key: key.chars().take(317).collect() })
    }
}

/// `true` for `([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]` of at most 63 bytes: the name part of a qualified name, or a
/// label value.
fn is_qualified_part(s: &str) -> bool {
    let bytes = s.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && bytes[0].is_ascii_alphanumeric()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_other_tools_act_by_goes_on_the_secret() {
        for key in [
            "app.kubernetes.io/instance",
            "app.kubernetes.io/managed-by",
            "argocd.argoproj.io/secret-type",
            "argocd.argoproj.io/auto-label-cluster-info",
            "argocd.argoproj.io/sync-options",
            "kustomize.toolkit.fluxcd.io/prune",
            "meta.helm.sh/release-name",
            "meta.helm.sh/release-namespace",
            "reconcile.fluxcd.io/watch",
        ] {
            assert_eq!(Mark::of(key), None, "{key}");
        }
    }

    #[test]
    fn what_a_tool_writes_about_itself_and_what_speaks_for_a_controller_is_left_out_and_named() {
        let labels = strings(&[("app", "db"), ("kustomize.toolkit.fluxcd.io/name", "not a label value")]);
        let annotations = strings(&[
            ("note", "x"),
            ("sealing.dev/adopt", "db"),
            ("argocd.argoproj.io/tracking-id", "x"),
            ("objectset.rio.cattle.io/applied", "H4sI"),
            ("sealedsecrets.bitnami.com/managed", "true"),
        ]);
        let sorted =
            Metadata::sort(&labels, &annotations, |key, _| key == "sealedsecrets.bitnami.com/managed")
                .unwrap();
        assert_eq!(sorted.labels, strings(&[("app", "db")]));
        assert_eq!(
            sorted.annotations,
            strings(&[("note", "x"), ("sealedsecrets.bitnami.com/managed", "true")])
        );
        assert_eq!(
            sorted.left_out.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "label kustomize.toolkit.fluxcd.io/name (Flux knows what it applied by it)",
                "annotation argocd.argoproj.io/tracking-id (Argo CD knows what it applied by it)",
                "annotation objectset.rio.cattle.io/applied (Rancher keeps a copy of the values in it)",
                "annotation sealing.dev/adopt (only a controller of SealedSecrets writes it)",
            ]
        );
    }

    /// Status and Events repeat such a key.
    #[test]
    fn a_key_that_is_left_out_is_a_qualified_name_too() {
        let annotations = strings(&[("sealing.dev/\u{1b}[2J", "x")]);
        let refused = Metadata::sort(&BTreeMap::new(), &annotations, |_, _| false).unwrap_err();
        assert!(matches!(refused, SecretError::MalformedKey { what: "annotation", .. }), "{refused}");
        assert!(!refused.to_string().contains('\u{1b}'), "{refused}");
    }

    #[test]
    fn labels_follow_kubernetes_rules() {
        assert_eq!(check_label("a", ""), Ok(()));
        for (key, value) in [("", "a"), ("a b", "a"), ("-a", "a"), ("Ex.com/a", "a"), ("a/b/c", "a")] {
            assert!(matches!(check_label(key, value), Err(SecretError::MalformedKey { .. })), "{key}");
        }
        for value in ["a b", "-", "é", &"a".repeat(64)] {
            assert!(
                matches!(check_label("a", value), Err(SecretError::MalformedLabelValue { .. })),
                "{value}"
            );
        }
    }
}
