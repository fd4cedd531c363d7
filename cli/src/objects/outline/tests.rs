//! Real objects, and broken ones.

use zeroize::Zeroizing;

use super::*;
use seal_crds::keys::Identity;
use seal_crds::native::{Item, NamedRecipient, seal};
use seal_crds::resources::SealedSecretSpec;
use seal_crds::{Place, Reason};
use seal_documents::source::Source;

use crate::objects::sealing;

fn outlines(text: &str) -> Vec<Outline> {
    let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
    read_all(&Manifest::parse(&source).unwrap())
}

fn outline(text: &str) -> Outline {
    let mut outlines = outlines(text);
    assert_eq!(outlines.len(), 1);
    outlines.remove(0)
}

/// A real object with one item for templates.
fn sealed() -> SealedSecretSpec {
    let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
    let recipient = Identity::generate().recipient().clone();
    let recipients = [NamedRecipient { recipient, name: Some("prod".to_owned()) }];
    let items = [("user", false), ("password", true)].map(|(name, template)| {
        (name.parse().unwrap(), Item::new(seal_crds::Plaintext::from(b"value".to_vec()), template))
    });
    let mut template = resources::Template { type_: Some("Opaque".to_owned()), ..Default::default() };
    template.data.insert("url".to_owned(), "db://$(password|url)@db".to_owned());
    seal(&place, Scope::Strict, &recipients, &items.into(), template, &BTreeSet::new()).unwrap()
}

fn manifest(metadata: &str, spec: &SealedSecretSpec) -> String {
    let spec = sealing::spec_value(spec).to_yaml(2);
    format!("apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {metadata}\nspec:\n  {}", *spec)
}

#[test]
fn an_object_is_outlined_with_its_places() {
    let spec = sealed();
    let text = manifest("{name: db, namespace: prod}", &spec);
    let outline = outline(&text);
    assert!(outline.fault.is_none(), "{:?}", outline.fault);
    assert_eq!((outline.object_name.to_string().as_str(), outline.scope), ("prod/db", Some(Scope::Strict)));
    assert!(text[outline.scope_at..].starts_with("strict\n"));
    for (name, item) in &outline.items {
        assert!(text[item.at..].starts_with(&format!("{name}: ")), "{name}");
        assert_eq!(item.line, spec.encrypted_data[name]);
        let envelope = outline.envelope_of(item.data_key.as_deref().unwrap()).unwrap();
        assert_eq!(envelope.age, spec.envelopes[0].age);
    }
    let [envelope] = &outline.envelopes[..] else { panic!() };
    assert_eq!((envelope.keys.len(), envelope.stanzas()), (2, Some(1)));
    assert_eq!(outline.used_keys().len(), 2);
    assert_eq!(outline.recipients().into_values().collect::<Vec<_>>(), [Some("prod")]);
    assert_eq!(outline.template.type_.as_deref(), Some("Opaque"));
    assert_eq!(outline.uses_in_template("password"), ["url"]);
    assert!(outline.uses_in_template("user").is_empty());
    assert!(text[outline.template.data["url"].at..].starts_with("url: "));
}

#[test]
fn whatever_is_wrong_with_an_object_it_has_an_outline_and_a_fault() {
    let spec = sealed();
    let good = manifest("{name: db, namespace: prod}", &spec);
    let unread = |text: &str| matches!(outline(text).fault, Some(Fault::Unread(_)));
    for (what, to) in [
        ("scope: strict", "scope: strict\n  scope: strict"),
        ("scope: strict", "scope: loose"),
        ("scope: strict", "scope: strict\n  more: 1"),
        ("name: db, ", ""),
        ("{name: db, namespace: prod}", "{name: '{{ .Values.name }}'}"),
        ("sealing.dev/v1alpha1", "sealing.dev/v1"),
    ] {
        let text = good.replace(what, to);
        assert!(text != good && (unread(&text) || what.contains("v1alpha1")), "{to}");
        assert_eq!(outline(&text).items.len(), 2, "{to}");
    }
    let refused = |spec: &SealedSecretSpec| match outline(&manifest("{name: db}", spec)).fault {
        Some(Fault::Refused(error)) => error.reason(),
        other => panic!("{other:?}"),
    };
    let mut unused = spec.clone();
    unused.encrypted_data.remove("user");
    unused.encrypted_data.insert("password".to_owned(), "no line".to_owned());
    assert_eq!(refused(&unused), Reason::Malformed);
    let mut missing = spec.clone();
    missing.envelopes[0].keys.pop();
    assert_eq!(refused(&missing), Reason::MissingKey);
}

#[test]
fn what_is_missing_or_of_another_form_is_left_out() {
    let outline = outline(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: [x]\nspec:\n  envelopes: {a: b}\n  \
         encryptedData: {a: ~, b: [x], c: 1}\n  template: {immutable: \"true\", data: x}\n",
    );
    assert_eq!(outline.object_name.to_string(), "(no name)");
    assert_eq!((outline.scope, outline.envelopes.len()), (None, 0));
    assert_eq!(outline.items.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(outline.template, OutlineTemplate::default());
    assert!(outline.fault.is_some() && !outline.is_patch());
}

#[test]
fn a_patch_without_anything_sealed_has_no_fault() {
    let outline = outline(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\nspec: {template: {type: a/b}}\n",
    );
    assert!(outline.is_patch() && outline.fault.is_none());
    assert_eq!(outline.template.type_.as_deref(), Some("a/b"));
}

#[test]
fn an_object_of_bitnami_has_its_scope_in_annotations_and_names_no_key() {
    let object = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: db\n  annotations:\n    \
                  sealedsecrets.bitnami.com/cluster-wide: \"true\"\nspec:\n  encryptedData: {tls.crt: AAAA}\n  template:\n    \
                  data: {a: '{{ index . \"tls.crt\" }}', b: 'tls.crt {{ .other }}', gone: null}\n";
    let outline = outline(object);
    assert_eq!((outline.format, outline.scope), (Format::Bitnami, Some(Scope::ClusterWide)));
    assert!(outline.envelopes.is_empty() && outline.items["tls.crt"].data_key.is_none());
    assert_eq!(outline.uses_in_template("tls.crt"), ["a"]);
    assert_eq!(outline.template.data["gone"].text, None);
}

#[test]
fn every_object_of_a_file_is_outlined_also_in_lists() {
    let object = |name: &str| {
        format!("{{apiVersion: sealing.dev/v1alpha1, kind: SealedSecret, metadata: {{name: {name}}}}}")
    };
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}\n- {{apiVersion: v1, kind: ConfigMap}}\n- {}\n---\n{}\n",
        object("a"),
        object("b"),
        object("c")
    );
    let found: Vec<_> =
        outlines(&text).iter().map(|outline| (outline.object, outline.object_name.to_string())).collect();
    assert_eq!(found, [(0, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())]);
}

#[test]
fn an_object_of_a_version_that_nobody_knows_is_refused() {
    let text = manifest("{name: db, namespace: prod}", &sealed()).replace("v1alpha1", "v1alpha2");
    let outline = outline(&text);
    let Some(Fault::Unread(failure)) = &outline.fault else { panic!("{:?}", outline.fault) };
    assert!(failure.facts[0].contains("sealing.dev/v1alpha2, which this version doesn't know"));
    assert_eq!((outline.format, outline.items.len()), (Format::Native, 2));
}
