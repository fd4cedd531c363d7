//! The Secrets that are sealed: one of every kind that people keep, as a table.
//!
//! Not the programs that seal or open them. Invariant: the expected result of a case is written beside it, and
//! isn't computed by any of the programs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::resources::bitnami::{
    API_VERSION, CLUSTER_WIDE, MANAGED, NAMESPACE_WIDE, PATCH, SKIP_SET_OWNER_REFERENCES,
};
use seal_crds::scope::Scope;
use serde_json::{Value, json};

/// A Secret, and the circumstances in which it is sealed and opened.
#[derive(Clone, Default)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) type_: &'static str,
    pub(crate) immutable: Option<bool>,
    pub(crate) labels: Strings,
    pub(crate) annotations: Strings,
    pub(crate) items: BTreeMap<String, Vec<u8>>,
    /// Templates: the key, the Go template, and the expected result.
    pub(crate) templates: &'static [(&'static str, &'static str, &'static str)],
    /// Items that `null` in the template leaves out of the Secret.
    pub(crate) omitted: &'static [&'static str],
    /// Seal the whole Secret at once, in the deprecated way.
    pub(crate) whole: bool,
    /// A Secret of that name that exists before, with the annotations that permit a takeover.
    pub(crate) before: Option<Before>,
    /// Whether the SealedSecret owns the Secret.
    pub(crate) owned: bool,
}

/// The annotations and the data of a Secret.
type Before = (&'static [&'static str], &'static [(&'static str, &'static str)]);

pub(crate) type Strings = BTreeMap<String, String>;

/// A Secret without its place, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) type_: String,
    pub(crate) immutable: bool,
    pub(crate) labels: Strings,
    pub(crate) annotations: Strings,
    pub(crate) data: BTreeMap<String, Vec<u8>>,
}

/// All cases that need only the format.
pub(crate) fn sealed() -> Vec<Case> {
    vec![
        Case::new("opaque", "Opaque", &[("user", "a"), ("password", "correct horse\nbattery staple\n")]),
        Case::new("bytes", "Opaque", &[("empty", "")])
            .item("binary", (0..=255).collect())
            .item("large", b"0123456789abcdef".repeat(8000)),
        Case::new("labelled", "Opaque", &[("a", "1")])
            .label("app.kubernetes.io/name", "db")
            .label("argocd.argoproj.io/secret-type", "repository")
            .label("app.kubernetes.io/instance", "db")
            .annotation("meta.helm.sh/release-name", "db")
            .annotation("example.com/note", "two\nlines: \"quoted\""),
        Case::new("basic-auth", "kubernetes.io/basic-auth", &[("username", "a"), ("password", "b")]),
        Case::new("ssh-auth", "kubernetes.io/ssh-auth", &[("ssh-privatekey", "not one")]),
        Case::new("tls", "kubernetes.io/tls", &[("tls.crt", "not one"), ("tls.key", "neither")]),
        Case::new(
            "docker",
            "kubernetes.io/dockerconfigjson",
            &[(".dockerconfigjson", r#"{"auths":{"example.com":{"auth":"YTpi"}}}"#)],
        ),
        Case::new("own-type", "example.com/own", &[("a", "1")]),
        Case { immutable: Some(true), ..Case::new("immutable", "Opaque", &[("a", "1")]) },
        Case {
            templates: &[
                ("url", "postgres://{{ .user }}:{{ .password | b64enc }}@db", "postgres://a:Yg==@db"),
                ("config.yaml", "{{ printf \"%s-%s\" .user .password | quote }}\n", "\"a-b\"\n"),
                ("plain", "no template", "no template"),
            ],
            ..Case::new("templated", "Opaque", &[("user", "a"), ("password", "b")])
        },
        Case {
            templates: &[("host", "db", "db"), ("url", "{{ .password }}@{{ .host }}", "b@db")],
            omitted: &["password"],
            ..Case::new("omitted", "Opaque", &[("user", "a"), ("password", "b")])
        },
        Case { whole: true, ..Case::new("whole", "Opaque", &[("a", "1")]).label("app", "db") },
    ]
}

/// Cases that also need a cluster.
pub(crate) fn in_a_cluster() -> Vec<Case> {
    let there: &'static [(&str, &str)] = &[("a", "before"), ("b", "before")];
    vec![
        Case { before: Some((&[MANAGED], there)), ..Case::new("managed", "Opaque", &[("a", "1")]) },
        Case { before: Some((&[PATCH], there)), owned: false, ..Case::new("patch", "Opaque", &[("a", "1")]) },
        Case {
            before: Some((&[MANAGED, PATCH], there)),
            ..Case::new("managed-patch", "Opaque", &[("a", "1")])
        },
        Case {
            owned: false,
            ..Case::new("unowned", "Opaque", &[("a", "1")])
                .annotation(SKIP_SET_OWNER_REFERENCES, "true")
                .annotation(MANAGED, "true")
        },
    ]
}

impl Case {
    fn new(name: &'static str, type_: &'static str, items: &[(&str, &str)]) -> Self {
        let items = items.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        Self { name, type_, items, owned: true, ..Self::default() }
    }

    fn item(mut self, key: &str, value: Vec<u8>) -> Self {
        self.items.insert(key.to_owned(), value);
        self
    }

    fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The Secret as its author writes it, with the scope's annotation.
    pub(crate) fn secret(&self, namespace: &str, scope: Scope) -> Value {
        let data: Strings =
            self.items.iter().map(|(key, value)| (key.clone(), BASE64.encode(value))).collect();
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": self.type_, "data": data,
            "metadata": {
                "namespace": namespace, "name": self.name,
                "labels": self.labels, "annotations": self.annotations_for(scope),
            },
        });
        if let Some(immutable) = self.immutable {
            secret["immutable"] = json!(immutable);
        }
        secret
    }

    /// Adds the parts that the author writes into a SealedSecret by hand, because a Secret doesn't have them.
    pub(crate) fn add_templates(&self, sealed: &mut Value) {
        for (key, template, _) in self.templates {
            sealed["spec"]["template"]["data"][key] = json!(template);
        }
        for key in self.omitted {
            sealed["spec"]["template"]["data"][key] = Value::Null;
        }
    }

    /// The SealedSecret with this spec.
    pub(crate) fn around(&self, namespace: &str, scope: Scope, spec: &Value) -> Value {
        let annotations: Strings =
            scope.bitnami_annotation().map(|key| (key.to_owned(), "true".to_owned())).into_iter().collect();
        json!({
            "apiVersion": API_VERSION, "kind": "SealedSecret", "spec": spec,
            "metadata": {"namespace": namespace, "name": self.name, "annotations": annotations},
        })
    }

    /// The annotations of the Secret as its author writes it, with the scope's.
    pub(crate) fn annotations_for(&self, scope: Scope) -> Strings {
        let mut annotations = self.annotations.clone();
        annotations.extend(scope.bitnami_annotation().map(|key| (key.to_owned(), "true".to_owned())));
        annotations
    }

    /// The Secret that exists before, if any.
    pub(crate) fn secret_before(&self, namespace: &str) -> Option<Value> {
        let (annotations, data) = self.before?;
        let annotations: BTreeMap<_, _> = annotations.iter().map(|key| (key, "true")).collect();
        let data: BTreeMap<_, _> = data.iter().copied().collect();
        Some(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "stringData": data,
            "metadata": {"namespace": namespace, "name": self.name, "annotations": annotations},
        }))
    }

    /// The expected content of the Secret.
    pub(crate) fn expected(&self) -> Content {
        let mut data = self.items.clone();
        data.retain(|key, _| !self.omitted.contains(&key.as_str()));
        data.extend(
            self.templates.iter().map(|(key, _, text)| ((*key).to_owned(), text.as_bytes().to_vec())),
        );
        let mut annotations = self.annotations.clone();
        if let Some((takes, before)) = self.before.filter(|(takes, _)| takes.contains(&PATCH)) {
            annotations.extend(takes.iter().map(|key| ((*key).to_owned(), "true".to_owned())));
            for (key, value) in before {
                data.entry((*key).to_owned()).or_insert_with(|| value.as_bytes().to_vec());
            }
        }
        Content {
            type_: self.type_.to_owned(),
            immutable: self.immutable == Some(true),
            labels: self.labels.clone(),
            annotations,
            data,
        }
    }
}

/// The annotations of a Secret without the SealedSecret's scope, which only kubeseal notes there.
pub(crate) fn without_scope(mut annotations: Strings) -> Strings {
    annotations.retain(|key, _| ![CLUSTER_WIDE, NAMESPACE_WIDE].contains(&key.as_str()));
    annotations
}

impl Content {
    /// The content of a Secret in JSON, without the marks that a controller puts there for itself.
    pub(crate) fn of(secret: &Value) -> Self {
        // kubeseal prints an empty value as null.
        let strings = |value: &Value| -> Strings {
            let entries = value.as_object().into_iter().flatten();
            entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
        };
        let mut annotations = strings(&secret["metadata"]["annotations"]);
        annotations.retain(|key, _| !key.starts_with("sealing.dev/"));
        let data = strings(&secret["data"]).into_iter();
        Self {
            type_: secret["type"].as_str().unwrap_or("Opaque").to_owned(),
            immutable: secret["immutable"] == true,
            labels: strings(&secret["metadata"]["labels"]),
            annotations: without_scope(annotations),
            data: data.map(|(key, value)| (key, BASE64.decode(value).unwrap())).collect(),
        }
    }
}
