//! Secrets with values in every place that one may stand in, and what looks like one.

use super::*;

/// `rule severity item` of each finding.
fn found(text: &str) -> Vec<String> {
    let line = |found: &Finding| {
        let item = found.item.as_deref().unwrap_or("-");
        format!("{} {} {item}", found.lint.name(), found.severity.as_str())
    };
    match tree::parse(text, 0) {
        Ok(trees) => in_documents("f.yaml", &trees).iter().map(line).collect(),
        Err(_) => in_text("f.yaml", text).iter().map(line).collect(),
    }
}

const SECRET: &str = "{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {a: hunter2}}";

#[test]
fn every_item_of_a_secret_is_a_finding_without_its_value() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\ndata:\n  user: YXBw\nstringData:\n  \
                password: hunter2\n";
    assert_eq!(found(text), ["plaintext error user", "plaintext error password"]);
    let trees = tree::parse(text, 0).unwrap();
    let findings = in_documents("prod/db.yaml", &trees);
    assert_eq!(findings[1].message, "item password of Secret prod/db is in plaintext");
    assert_eq!(findings[1].hint.as_deref(), Some("seal it where it stands: seal -w prod/db.yaml"));
    assert!(text[findings[1].at.unwrap()..].starts_with("password:"));
    assert_eq!(findings[1].place.as_deref(), Some("prod/db"));
}

#[test]
fn a_secret_is_found_wherever_it_stands_and_however_it_is_misspelt() {
    for text in [
        format!("---\na: b\n---\n{SECRET}\n"),
        format!("apiVersion: v1\nkind: List\nitems: [{SECRET}]\n"),
        format!("apiVersion: v1\nkind: SecretList\nitems: [{SECRET}]\n"),
        "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {\"a\": \"eA==\"}}".to_owned(),
        "kind: secret\nstringData: {a: x}".to_owned(),
        "apiVersion: core/v1\nkind: Secret\nstringData: {a: 1}".to_owned(),
        "apiVersion: v1\nkind: Secret\nkind: Secret\ndata: {a: not-base64}".to_owned(),
        format!("apiVersion: a/v1\nkind: Template\nobjects: [{SECRET}]\n"),
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: |\n    apiVersion: v1\n    kind: Secret\n    stringData:\n      a: x\n"
            .to_owned(),
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: |\n    kind: Secret\n    {{ if x }}\n    stringData:\n      a: x\n"
            .to_owned(),
        "apiVersion: v1\nkind: !!binary U2VjcmV0\nstringData: {a: x}\n".to_owned(),
        "apiVersion: v1\n<<: [{kind: Secret}, {stringData: {a: x}}]\n".to_owned(),
        "apiVersion: v1\nkind: Secret\nstringData:\n  <<: {a: x}\n".to_owned(),
        // The history has the value, whatever the patch does.
        "apiVersion: v1\nkind: Secret\n$patch: delete\nstringData: {a: x}\n".to_owned(),
        // A reader may take any of two versions.
        "<<: {apiVersion: example.com/v1}\napiVersion: v1\nkind: Secret\nstringData: {a: x}\n".to_owned(),
        "apiVersion: example.com/v1\napiVersion: v1\nkind: Secret\nstringData: {a: x}\n".to_owned(),
        "{\"apiVersion\": \"a.b/v1\", \"apiVersion\": \"v1\", \"kind\": \"Secret\", \"stringData\": {\"a\": \"x\"}}".to_owned(),
        "apiVersion: v1\n!!binary a2luZA==: Secret\nstringData: {a: x}\n".to_owned(),
        "apiVersion: v1\nkind: Secret\n!!binary c3RyaW5nRGF0YQ==: {a: x}\n".to_owned(),
        // kubectl gives items of a list their kind.
        "apiVersion: v1\nkind: SecretList\nitems: [{metadata: {name: db}, stringData: {a: x}}]\n".to_owned(),
        // Two texts deep.
        format!("apiVersion: a/v1\nkind: A\nx: |\n  kind: ConfigMap\n  data:\n    y: |\n      {SECRET}\n"),
    ] {
        assert_eq!(found(&text), ["plaintext error a"], "{text}");
    }
}

#[test]
fn what_is_no_value_is_no_finding() {
    for text in [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
        "apiVersion: v1\nkind: Secret\ndata: {}\nstringData:\n",
        "apiVersion: v1\nkind: Secret\nstringData: {a: '', b: null, c: }\n",
        "apiVersion: v1\nkind: Secret\n$patch: delete\nmetadata: {name: db}\n",
        "apiVersion: v1\nkind: Secret\nstringData: {a: 'ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]'}\nsops: {}\n",
        "apiVersion: vault.dev/v1\nkind: Secret\nstringData: {a: x}\n",
        "apiVersion: v1\nkind: ConfigMap\ndata: {kind: Secret, stringData: x}\n",
        "apiVersion: a/v1\nkind: A\nref: {kind: Secret, name: db}\n",
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nspec: {encryptedData: {a: x}, template: {data: {b: c}}}\n",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
}

#[test]
fn a_placeholder_alone_is_a_note_and_one_with_something_around_it_or_in_it_an_error() {
    let secret = |value: &str| format!("apiVersion: v1\nkind: Secret\nstringData: {{a: \"{value}\"}}\n");
    assert_eq!(found(&secret("${PASSWORD}")), ["plaintext note a"]);
    assert_eq!(found(&secret("{{ .Values.password }}")), ["plaintext note a"]);
    assert_eq!(found(&secret("{{ include 'db.password' . }}")), ["plaintext note a"]);
    assert_eq!(found("kind: Secret\ndata: {a: JHtQQVNTV09SRH0=}"), ["plaintext note a"]);
    for mixed in [
        "postgres://app:${PASSWORD}@db",
        "hunter2${SUFFIX}",
        "${A}hunter2${B}",
        "${PASSWORD:-hunter2}",
        "${PASSWORD-hunter2}",
        "${PASSWORD=hunter2}",
        "{{ .P | default 'hunter2' }}",
        "{{ include 'x' . | default 'hunter2' }}",
        "{{ 'hunter2' }}",
        "{{ .a }}hunter2{{ .b }}",
    ] {
        assert_eq!(found(&secret(mixed)), ["plaintext error a"], "{mixed}");
    }
}

#[test]
fn references_and_public_values_are_no_errors() {
    let secret = |value: &str| format!("apiVersion: v1\nkind: Secret\nstringData: {{a: \"{value}\"}}\n");
    assert_eq!(found(&secret("<path:secret/data/x#p>")), ["plaintext note a"]);
    assert!(found(&secret("-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n")).is_empty());
    let sops = "apiVersion: v1\nkind: Secret\nstringData: {a_unencrypted: x, b: y}\nsops: {mac: z}\n";
    assert_eq!(found(sops), ["plaintext note a_unencrypted", "plaintext error b"]);
    for (version, kind, shape) in [
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "openAPIV3Schema"),
        ("kyverno.io/v1", "ClusterPolicy", "pattern"),
    ] {
        let text = |field: &str| {
            format!("apiVersion: {version}\nkind: {kind}\nspec: {{a: [{{{field}: {SECRET}}}]}}\n")
        };
        assert!(found(&text(shape)).is_empty(), "{kind}");
        assert_eq!(found(&text("data")), ["plaintext error a"], "{kind}");
    }
}

#[test]
fn a_json_patch_of_a_secret_has_its_values() {
    for text in [
        "- {op: add, path: /stringData, value: {a: hunter2}}\n",
        "- {op: replace, path: /stringData/a, value: hunter2}\n",
        "patches:\n- patch: |\n    - op: add\n      path: /stringData/a\n      value: hunter2\n",
    ] {
        assert_eq!(found(text), ["plaintext error a"], "{text}");
    }
    for harmless in [
        "- {op: remove, path: /stringData/a}\n",
        "- {op: add, path: /data/a, value: x}\n",
        "- {op: add, path: /stringData/a, value: '${A}'}\n",
    ] {
        assert!(found(harmless).iter().all(|found| found.contains("note")), "{harmless}");
    }
}

#[test]
fn what_kubectl_applied_is_found_on_a_sealed_secret() {
    let object = |metadata: &str| {
        format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: db}}\nspec: {{}}\n{metadata}"
        )
    };
    let applied = "{\"apiVersion\":\"v1\",\"data\":{\"password\":\"aHVudGVyMg==\"},\"kind\":\"Secret\"}";
    let text = object("").replace(
        "{name: db}",
        &format!(
            "{{name: db, annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{applied}'}}}}"
        ),
    );
    assert_eq!(found(&text), ["plaintext-annotation error password"]);
    let sealed = applied.replace("\"Secret\"", "\"SealedSecret\"");
    assert!(found(&text.replace(applied, &sealed)).is_empty());
    // On a Secret with values, the values are told once.
    let twice =
        text.replace("sealing.dev/v1alpha1\nkind: SealedSecret", "v1\nkind: Secret\nstringData: {b: x}");
    assert_eq!(found(&twice), ["plaintext error b"]);
}

#[test]
fn a_text_that_cannot_be_read_is_looked_at_by_its_lines() {
    let template = "{{- if .Values.x }}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  labels: {}\ndata:\n  \
                    a: {{ .Values.a | b64enc }}\n  b: \"aHVudGVyMg==\"\nstringData:\n  c: |\n    hunter2\n  d: |\n    {{ .x }}\n  \
                    e: \"\"\ntype: Opaque\n{{- end }}\n";
    assert_eq!(found(template), ["plaintext error b", "plaintext error c"]);
    let braces = "{{ if x }}\nkind: Secret\nstringData: {a: x, b: '{{ .y }}'}\ndata:\n  \"my pw\": eA==\n";
    assert_eq!(found(braces), ["plaintext error a", "plaintext error …"]);
    let conflict =
        "kind: Secret\nstringData:\n<<<<<<< HEAD\n  a: x\n=======\n  a: y\n>>>>>>> other\n  b: [\n";
    assert_eq!(found(conflict), ["plaintext error a", "plaintext error a"]);
    for harmless in [
        "{{ if x }}\nkind: ConfigMap\ndata:\n  a: b\n",
        "{{ if x }}\nkind: SealedSecret\nspec:\n  template:\n    data:\n      a: b\n",
        "{{ if x }}\nkind: Deployment\nspec: {}\n---\nkind: Secret\nmetadata:\n  name: x\n  {{- end }}\n",
        "a: [\nvolumes:\n- secret: {secretName: x}\n",
    ] {
        assert!(found(harmless).is_empty(), "{harmless}");
    }
}

/// A chart passes the hook with a warning and not with an error, so the two must be told apart.
#[test]
fn a_value_that_is_typed_into_a_template_is_an_error_and_a_text_that_takes_one_in_a_warning() {
    let found = |lines: &str| {
        let text = format!("{{{{- if .x }}}}\nkind: Secret\nstringData:\n{lines}{{{{- end }}}}\n");
        let line =
            |found: &Finding| format!("{} {}", found.severity.as_str(), found.item.as_deref().unwrap());
        in_template("f.yaml", &text).iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(found("  a: hunter2\n  b: {{ .Values.b }}\n"), ["error a"]);
    assert_eq!(found("  a: |\n    hunter2\n    more\n"), ["error a"]);
    assert_eq!(found("  a: |\n    user = app\n    password = {{ .Values.p }}\n"), ["warning a"]);
    assert_eq!(
        found("  a: |\n    {{- with .Values.x }}\n    user = app\n    {{- end }}\n  b: x\n"),
        ["warning a", "error b"]
    );
    assert_eq!(found("  a: |\n    {{ .Values.a }}\n  b: |-\n    {{ .Values.b }}\n"), [""; 0]);
}

/// Texts in texts, and aliases, cost no more than their length.
#[test]
fn a_hostile_text_is_looked_at_once() {
    crate::cost::within(10, || {
        let nested = (0..12).fold("kind: Secret data".to_owned(), |text, _| format!("{text:?}"));
        found(&format!("a: {nested}\n"));
        found(&format!("{{{{\n{}", "kind: Secret\ndata:\n".repeat(20_000)));
        let many: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
        let items: String = (0..20_000).map(|n| format!("  k{n}: x\n")).collect();
        assert_eq!(
            found(&format!("{many}kind: Secret\nmetadata: {{name: a}}\nstringData:\n{items}")).len(),
            20_000
        );
    });
}
