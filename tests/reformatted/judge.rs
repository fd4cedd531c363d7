//! Whether a changed file is the old one but for what the task takes and gives.
//!
//! Invariant: nothing here reads YAML by our own code: bytes are compared with what [`Shape::find`] found, meaning with what
//! yq reads.

use std::collections::BTreeMap;
use std::process::Command;

use seal_crds::resources::SealedSecretSpec;
use seal_random::shapes::{Gone, Shape, Task};
use seal_tests::toolchain;
use serde_json::Value;

use super::Case;
use crate::sandbox::{Sandbox, run};

/// The documents of the files that yq can read, as it reads them.
pub(super) fn read(sandbox: &Sandbox, files: &[String]) -> BTreeMap<String, Vec<Value>> {
    let mut yq = Command::new(toolchain::bin("yq"));
    sandbox.confine(&mut yq);
    yq.args(["-p=yaml", "-o=json", "-I0", "{\"file\": filename, \"document\": .}"]);
    let done = run(yq.args(files), b"");
    let mut documents: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    if done.code != 0 {
        // It stops at the first file that it can't read.
        if files.len() > 1 {
            let (first, second) = files.split_at(files.len() / 2);
            documents.extend(read(sandbox, first));
            documents.extend(read(sandbox, second));
        }
        return documents;
    }
    for line in String::from_utf8(done.stdout).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let file = line["file"].as_str().unwrap().to_owned();
        documents.entry(file).or_default().push(line["document"].take());
    }
    documents
}

/// The spec of the SealedSecret, taken out of the documents.
pub(super) fn take_spec(documents: &mut [Value]) -> Option<Value> {
    fn find(value: &mut Value) -> Option<&mut Value> {
        if value.get("kind").and_then(Value::as_str) == Some("SealedSecret") {
            return value.get_mut("spec");
        }
        value.get_mut("items")?.as_array_mut()?.iter_mut().find_map(find)
    }
    documents.iter_mut().find_map(find).map(Value::take)
}

/// What is wrong with the new text.
pub(super) fn fault(
    case: &Case,
    shape: &Shape,
    old: &str,
    new: &str,
    mut before: Vec<Value>,
    mut after: Vec<Value>,
) -> Option<String> {
    let gone = Gone::of(&case.task, &case.says);
    let not = |is: bool, fault: &str| (!is).then(|| fault.to_owned());
    let line_ends = |text: &str| (text.matches('\n').count(), text.matches("\r\n").count());
    let ((old_all, old_windows), (new_all, new_windows)) = (line_ends(old), line_ends(new));
    let keeps_line_ends = old_windows == 0 && new_windows == 0
        || old_windows == old_all && new_windows == new_all
        || old_windows > 0 && old_windows < old_all;
    not(shape.allows(new, |part| gone.may_go(part)), "bytes outside of the item changed")
        .or_else(|| not(keeps_line_ends, "the line ends changed"))
        .or_else(|| meaning(case, &gone, &mut before, &mut after))
}

fn meaning(case: &Case, gone: &Gone, before: &mut [Value], after: &mut [Value]) -> Option<String> {
    let (Some(mut old), Some(mut new)) = (take_spec(before), take_spec(after)) else {
        return Some("there is no SealedSecret".to_owned());
    };
    if before != after {
        return Some("something else got another meaning".to_owned());
    }
    let spec: SealedSecretSpec = match serde_json::from_value(new.clone()) {
        Ok(spec) => spec,
        Err(error) => return Some(error.to_string()),
    };
    for spec in [&mut old, &mut new] {
        let fields = spec.as_object_mut()?;
        fields.remove("encryptedData");
        fields.remove("envelopes");
    }
    if old != new {
        return Some("another field of the spec changed".to_owned());
    }
    let mut names: Vec<&str> = Vec::new();
    for (index, (name, line)) in case.says.items.iter().enumerate() {
        let stays = !gone.values.contains(&index);
        if (spec.encrypted_data.get(name) == Some(line)) != stays {
            return Some(format!("item {name} is another, or the same"));
        }
        names.extend((!gone.items.contains(&index)).then_some(name.as_str()));
    }
    names.extend(match case.task {
        Task::Add(name) => Some(name),
        _ => None,
    });
    names.sort_unstable();
    if !spec.encrypted_data.keys().eq(names) {
        return Some("there are other items".to_owned());
    }
    let ages: Vec<&str> = spec.envelopes.iter().map(|envelope| envelope.age.as_str()).collect();
    for (index, envelope) in case.says.envelopes.iter().enumerate() {
        if ages.contains(&envelope.age.as_str()) == gone.envelopes.contains(&index) {
            return Some(format!("envelope {index} went, or stayed"));
        }
    }
    None
}
