//! A repository of many files, as people have them: kustomize with transformers, Helm charts, custom resources, Secrets
//! without values, SealedSecrets of both formats, SOPS, files that aren't UTF-8 or aren't YAML. Nothing in it is wrong.
//!
//! What `seal check` finds in it is a matter of `tests/check_repository`, and what that costs one of the benchmark.
//! Invariant: the same seed makes the same files, except for what is sealed, which is random.

pub mod sealed;

use seal_crds::Scope;
use seal_random::Random;

use sealed::{Keys, bitnami, manifest, native, spec};

/// The rules of the repository.
pub const RULES: &str = "\
version: 1
require-recovery: true
recipients:
  prod: {file: keys/prod.pub}
  recovery: {file: keys/recovery.pub, recovery: true}
  peer: {file: keys/peer.pem, recovery: true}
rules:
  - path: \"clusters/prod/{namespace}/**\"
    to: [prod, recovery]
    scopes: [strict]
    types: [Opaque, kubernetes.io/tls]
    max-age: 365d
  - path: \"legacy/**\"
    to: [peer]
  - path: \"apps/**\"
    to: [prod, recovery]
  - path: \"tools/**\"
    to: none
";

/// The rules, the pins, and this many files around them: each path beneath the root, with its content.
pub fn files(keys: &Keys, count: usize, seed: u64) -> impl Iterator<Item = (String, Vec<u8>)> {
    let revoked = keys.revoked.fingerprint();
    let fixed = [
        (".seal.yaml", RULES.to_owned()),
        ("keys/prod.pub", format!("# revoked: {revoked} 2026-01-01 old\n{}\n", keys.prod)),
        ("keys/recovery.pub", format!("{}\n", keys.recovery)),
        ("keys/peer.pem", include_str!("../cli/given/rsa.crt").to_owned()),
    ];
    let fixed = fixed.map(|(path, text)| (path.to_owned(), text.into_bytes()));
    let mut random = Random(seed);
    fixed.into_iter().chain((0..count).map(move |index| file(index, keys, &mut random)))
}

fn file(index: usize, keys: &Keys, random: &mut Random) -> (String, Vec<u8>) {
    let name = format!("f{index}-{}", random.below(1000));
    let namespace = format!("n{}", random.below(40));
    let text = |path: String, text: String| (path, text.into_bytes());
    let place = format!("{namespace}/{name}");
    match index % 25 {
        0 => text(format!("clusters/prod/{namespace}/{name}.yaml"), native(&place, &keys.both())),
        1 => text(format!("legacy/{name}.yaml"), bitnami(&place, || random.draw())),
        2 => {
            let wide = manifest(&place, &spec(&place, Scope::ClusterWide, &keys.both()));
            // The same object in two clusters is the same place twice.
            text(format!("apps/{name}/base/sealed.yaml"), wide)
        }
        3 => text(
            format!("apps/{name}/kustomization.yaml"),
            "resources: [deployment.yaml]\nnamePrefix: dev-\nnamespace: dev\nimages: [{name: app, newTag: v2}]\n".to_owned(),
        ),
        4 => text(format!("apps/{name}/deployment.yaml"), deployment(&name)),
        5 => text(format!("charts/{name}/templates/secret.yaml"), helm_secret(&name)),
        6 => text(format!("charts/{name}/values.yaml"), "password: \"\"\nexistingSecret: db\n".to_owned()),
        7 => text(format!("apps/{name}/external.yaml"), external_secret(&name)),
        8 => text(format!("sops/{name}.yaml"), sops(&name)),
        9 => (format!("images/{name}.png"), std::iter::repeat_with(|| random.draw()).take(512).flat_map(u64::to_le_bytes).collect()),
        10 => (format!("apps/{name}/latin1.yaml"), b"apiVersion: v1\nkind: ConfigMap\ndata: {a: caf\xe9}\n".to_vec()),
        11 => text(format!("docs/{name}.md"), "# A Secret\n\n```yaml\nkind: Secret\nstringData: {a: b}\n```\n".to_owned()),
        12 => text(format!("src/{name}.go"), "package main\n\n// Secret is kind: Secret.\ntype Secret struct{}\n".to_owned()),
        13 => text(format!("apps/{name}/empty.yaml"), format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: Opaque\n")),
        14 => text(
            format!("apps/{name}/delete.yaml"),
            format!("$patch: delete\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n"),
        ),
        15 => text(format!("apps/{name}/list.json"), format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{{\"apiVersion\": \"v1\", \"kind\": \"ServiceAccount\", \
             \"metadata\": {{\"name\": \"{name}\"}}, \"secrets\": [{{\"name\": \"x\"}}]}}]}}\n"
        )),
        16 => text(format!("apps/{name}/crlf.yaml"), deployment(&name).replace('\n', "\r\n")),
        17 => text(format!("apps/{name}/bom.yml"), format!("\u{feff}{}", deployment(&name))),
        18 => text(format!("apps/{name}/broken.yaml"), "a: [\n  not: yaml\n".to_owned()),
        19 => text(format!("apps/{name}/flux.yaml"), flux(&name)),
        20 => text(format!("clusters/prod/{namespace}/{name}/kustomization.yaml"), format!(
            "namespace: {namespace}\nresources: []\npatches: [{{target: {{kind: Deployment}}, patch: '[]'}}]\n"
        )),
        21 => text(format!("apps/{name}/role.yaml"), format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: {name}}}\nrules: [{{apiGroups: [''], \
             resources: [secrets], verbs: [get]}}]\n"
        )),
        22 => text(format!("tools/{name}.env"), "PASSWORD=\n".to_owned()),
        23 => text(format!("apps/{name}/configmap.yaml"), configmap(&name, random)),
        _ => text(format!("other/{name}.json"), format!("{{\"name\": \"{name}\", \"n\": {}}}\n", random.draw())),
    }
}

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n      \
         - name: app\n        image: app\n        envFrom: [{{secretRef: {{name: {name}-db}}}}]\n"
    )
}

fn helm_secret(name: &str) -> String {
    format!(
        "{{{{- if .Values.enabled }}}}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  labels: {{{{ include \"x\" . | \
         nindent 4 }}}}\ndata:\n  password: {{{{ .Values.password | b64enc }}}}\nstringData:\n  url: \"{{{{ .Values.url }}}}\"\n\
         {{{{- end }}}}\n"
    )
}

fn external_secret(name: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: {name}}}\nspec:\n  target:\n    name: \
         {name}\n    template: {{type: Opaque}}\n  data: [{{secretKey: a, remoteRef: {{key: b}}}}]\n"
    )
}

fn sops(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  password: \
         ENC[AES256_GCM,data:x8fT,iv:AAAA,tag:BBBB,type:str]\nsops:\n  mac: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\n  version: \
         3.13.3\n"
    )
}

fn flux(name: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}}}\nspec:\n  path: \
         ./elsewhere/{name}\n  targetNamespace: x\n  sourceRef: {{kind: GitRepository, name: {name}}}\n"
    )
}

fn configmap(name: &str, random: &mut Random) -> String {
    let entries: String =
        (0..random.below(20)).map(|n| format!("  key-{n}: value {}\n", random.draw())).collect();
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  a: b\n{entries}")
}
