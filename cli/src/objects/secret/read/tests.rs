//! Secrets as people and tools write them: read, refused, or read with a warning.
//!
//! Invariant: no refusal repeats a value.

use super::*;
use crate::talk::failure::Explain as _;
use seal_documents::yaml::tree::parse;

const HEAD: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\n";

fn reading(rest: &str) -> Result<Reading, Located<ReadSecretError>> {
    let text = format!("{HEAD}{rest}");
    let trees = parse(&text, 0).unwrap();
    read(&trees[0], &text, trees[0].root.unwrap())
}

fn items(rest: &str) -> Vec<(String, Vec<u8>)> {
    let reading = reading(rest).map_err(|error| error.error.to_string()).ok().unwrap();
    reading.secret.items.iter().map(|(k, v)| (k.to_string(), v.expose().to_vec())).collect()
}

fn refusal(rest: &str) -> String {
    reading(rest).err().unwrap().error.to_string()
}

#[test]
fn string_data_wins_over_data() {
    let found = items("data: {a: YQ==, b: Yg==}\nstringData: {b: plain, c: \"\"}");
    let expected = [("a", "a"), ("b", "plain"), ("c", "")];
    assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.as_bytes().to_vec())));
}

#[test]
fn base64_is_what_go_takes_for_it() {
    assert_eq!(items("data:\n  a: |\n    //79\n    /A==\n")[0].1, [255, 254, 253, 252]);
    assert_eq!(items("data: {a: \"\"}")[0].1, b"");
    assert_eq!(items("data: {a: YR==}")[0].1, b"a", "Go doesn't look at the last bits");
    for bad in ["YQ", "Y", "YQ===", "Y Q=", "YQ==YQ==", "hunter2!", "_-8=", "é"] {
        assert_eq!(refusal(&format!("data: {{a: \"{bad}\"}}")), "item a under data isn't base64", "{bad}");
    }
}

#[test]
fn the_byte_that_is_no_base64_is_pointed_at() {
    let at = |rest: &str| reading(rest).err().unwrap().at - HEAD.len();
    assert_eq!(at("data: {a: YQ!=}"), 12);
    assert_eq!(at("data: {a: \"Y!==\"}"), 12);
}

#[test]
fn awkward_item_names_are_items() {
    let found = items("stringData: {\"on\": a, \"null\": b, \"1\": c, .d: e}");
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [".d", "1", "null", "on"]);
    assert!(refusal("stringData: {on: a}").contains("the unquoted key on is a boolean to kubectl"));
    assert!(refusal("stringData: {..a: b}").contains("is not a Secret key"));
}

#[test]
fn what_the_server_sets_is_left_out_in_silence_and_what_tools_track_with_a_warning() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  uid: x\n  managedFields: [{a: b}]\n  \
                creationTimestamp: null\n  finalizers: [a]\n  labels: {app.kubernetes.io/instance: db, argocd.argoproj.io/instance: x}\n  \
                annotations: {kubectl.kubernetes.io/last-applied-configuration: x, sealing.dev/digest: x, sealedsecrets.bitnami.com/cluster-wide: \"true\"}\n\
                stringData: {a: b}\n";
    let trees = parse(text, 0).unwrap();
    let reading = read(&trees[0], text, trees[0].root.unwrap()).ok().unwrap();
    let kept = BTreeMap::from([("app.kubernetes.io/instance".to_owned(), "db".to_owned())]);
    assert_eq!(reading.secret.labels, kept);
    assert!(reading.secret.annotations.is_empty());
    let warnings: Vec<_> = reading.warnings.iter().map(|w| w.error.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "metadata.finalizers is left out: it isn't part of a SealedSecret",
            "label argocd.argoproj.io/instance is left out: Argo CD knows what it applied by it",
            "annotation sealedsecrets.bitnami.com/cluster-wide is left out; the scope is set by --scope cluster-wide",
        ]
    );
}

#[test]
fn a_misspelt_field_is_refused_with_the_right_one() {
    let error = reading("stringdata: {a: b}").err().unwrap().error;
    assert_eq!(error.to_string(), "a Secret has no field stringdata");
    assert_eq!(error.hint().as_deref(), Some("did you mean stringData?"));
    assert_eq!(reading("spec: {}").err().unwrap().error.hint(), None);
}

#[test]
fn a_patch_passes_without_values_and_is_refused_with_some() {
    let is_patch =
        |rest: &str| reading(rest).map(|reading| reading.is_patch).map_err(|e| e.error.to_string());
    for patch in [
        "$patch: delete",
        "data: {$patch: replace}",
        "stringData: {$retainKeys: [a]}",
        "data: {$patch: merge, a: null}",
        "$setElementOrder/data: [a]",
    ] {
        assert_eq!(is_patch(patch), Ok(true), "{patch}");
    }
    assert_eq!(is_patch("data: {}"), Ok(false));
    assert_eq!(is_patch("data: {a: null, b: ~}"), Ok(false), "without a directive it may be a slip");
    assert_eq!(is_patch("stringData: {a: b}"), Ok(false));
    let refused = "this Secret is a patch ($patch), and a patch with values can't be sealed";
    for patch in ["$patch: replace\nstringData: {a: b}", "data: {$patch: merge, a: YQ==}"] {
        assert_eq!(refusal(patch), refused, "{patch}");
    }
    assert_eq!(refusal("data: {a: YQ==, b: null}"), "item b under data has no value");
    assert_eq!(refusal("data: {a: }"), "item a under data has no value");
    assert_eq!(refusal("$hunter2: delete"), "a Secret has no field …");
}

#[test]
fn what_sops_encrypted_is_told_before_anything_in_it_is_read() {
    let found = "type: ENC[AES256_GCM,data:x,type:str]\ndata: {a: 1}\nsops: {mac: x}";
    let error = reading(found).err().unwrap().error;
    assert_eq!(error.to_string(), "this Secret was encrypted by SOPS");
    assert_eq!(error.hint().as_deref(), Some("decrypt it first: sops -d FILE | seal …"));
}

#[test]
fn a_value_that_is_not_there_yet_is_warned_of_by_its_item_alone() {
    let reading =
        reading("stringData: {a: \"{{ .Values.hunter2 }}\", b: hunter2}\ndata: {c: JHtodW50ZXIyfQ==}");
    let warnings: Vec<_> = reading.ok().unwrap().warnings.into_iter().map(|w| w.error).collect();
    let look = "looks like a placeholder that wasn't filled in ({{ … }} or ${…})";
    assert_eq!(warnings, [format!("item a {look}"), format!("item c {look}")]);
    assert!(refusal("data: {a: \"${X}\"}").ends_with("isn't base64"));
}

#[test]
fn no_message_repeats_a_value() {
    for rest in [
        "data: {a: hunter2}",
        "data: {a: hunter2!}",
        "stringData: {a: {b: hunter2}}",
        "stringData: {a: [hunter2]}",
        "stringData: hunter2",
        "data: [hunter2]",
        "stringData: {a: !hunter x}",
        "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: hunter2}",
        "immutable: hunter2\nstringData: {a: b}",
    ] {
        assert!(!refusal(rest).contains("hunter"), "{rest}");
    }
}
