//! Whole files, with a line merge by the program git.

mod bitnami;
mod choices;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::process::Command;

use seal_crds::keys::Identity;
use seal_crds::native::{Item, NamedRecipient, drop_unused_envelopes, put_items, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Scope};
use zeroize::Zeroizing;

use super::version::Version;
use super::*;
use crate::objects::conflict::MARKER_SIZE;
use crate::objects::sealing;

/// `git merge-file`, and nobody who can compare values.
struct ByGit(Labels);

impl Help for ByGit {
    type Error = Infallible;

    fn merge_lines(&self, texts: &Texts<'_>) -> Result<TextMerge, Infallible> {
        let dir = tempfile::tempdir().unwrap();
        let files = [("ours", texts.ours), ("base", texts.base), ("theirs", texts.theirs)];
        files.iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).unwrap());
        let labels = [&self.0.ours, &self.0.base, &self.0.theirs];
        let output = Command::new("git")
            .current_dir(dir.path())
            .args(["merge-file", "-p"])
            .args(labels.iter().flat_map(|label| ["-L", label.as_str()]))
            .args(["ours", "base", "theirs"])
            .output()
            .unwrap();
        let is_clean = output.status.success();
        Ok(TextMerge { text: String::from_utf8(output.stdout).unwrap(), is_clean })
    }

    fn is_same_item(&self, _: &Found<'_>, _: &Found<'_>, _: &str) -> bool {
        false
    }
}

fn place() -> Place {
    Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() }
}

fn recipients() -> [NamedRecipient; 1] {
    [NamedRecipient { recipient: Identity::generate().recipient().clone(), name: Some("prod".to_owned()) }]
}

fn items(names: &[&str]) -> BTreeMap<seal_crds::ItemName, Item> {
    let item = |name: &&str| (name.parse().unwrap(), Item::new(Plaintext::from(b"x".to_vec()), false));
    names.iter().map(item).collect()
}

fn sealed(names: &[&str]) -> SealedSecretSpec {
    let template = Template::default();
    seal(&place(), Scope::Strict, &recipients(), &items(names), template, &BTreeSet::new()).unwrap()
}

fn set(spec: &SealedSecretSpec, names: &[&str]) -> SealedSecretSpec {
    put_items(&place(), spec, &recipients(), &items(names), &BTreeSet::new()).unwrap()
}

fn without(spec: &SealedSecretSpec, name: &str) -> SealedSecretSpec {
    let mut spec = spec.clone();
    spec.encrypted_data.remove(name);
    drop_unused_envelopes(&mut spec);
    spec
}

fn document(spec: &SealedSecretSpec) -> String {
    let spec = sealing::spec_value(spec).to_yaml(2);
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: db\n  namespace: prod\nspec:\n  {}",
        *spec
    )
}

fn merge_texts(base: &str, ours: &str, theirs: &str) -> Merged {
    let source = |text: &str| Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
    let [base, ours, theirs] = [base, ours, theirs].map(source);
    let labels = Labels {
        base: "base".to_owned(),
        ours: "main".to_owned(),
        theirs: "feature".to_owned(),
        size: MARKER_SIZE,
    };
    let versions = Versions { base: &base, ours: &ours, theirs: &theirs };
    merge(&versions, &labels, &ByGit(labels.clone())).unwrap_or_else(|never| match never {})
}

fn read(text: &str) -> Outline {
    let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
    let mut outlines = outline::read_all(&Manifest::parse(&source).unwrap());
    assert_eq!(outlines.len(), 1);
    outlines.remove(0)
}

#[test]
fn two_branches_that_each_add_an_item_merge() {
    let base = sealed(&["user"]);
    let (ours, theirs) = (set(&base, &["password"]), set(&base, &["token"]));
    let merged = merge_texts(&document(&base), &document(&ours), &document(&theirs));
    assert!(merged.is_clean, "{}", merged.text);
    let outline = read(&merged.text);
    assert!(outline.fault.is_none());
    assert_eq!(outline.items.keys().collect::<Vec<_>>(), ["password", "token", "user"]);
    assert_eq!(outline.envelopes.len(), 3);
}

#[test]
fn two_branches_that_each_remove_an_item_of_one_envelope_leave_no_envelope_without_an_item() {
    let base = set(&sealed(&["a", "b"]), &["c"]);
    let merged =
        merge_texts(&document(&base), &document(&without(&base, "a")), &document(&without(&base, "b")));
    assert!(merged.is_clean, "{}", merged.text);
    let outline = read(&merged.text);
    assert!(outline.fault.is_none() && outline.envelopes.len() == 1);
}

#[test]
fn a_file_that_both_branches_added_merges_as_far_as_the_items_agree() {
    let base = sealed(&["user"]);
    let (ours, theirs) = (set(&base, &["password"]), set(&base, &["token"]));
    let merged = merge_texts("", &document(&ours), &document(&theirs));
    assert!(merged.is_clean, "{}", merged.text);
    assert_eq!(read(&merged.text).items.len(), 3);
}

#[test]
fn markers_stand_round_the_lines_of_a_conflict_alone_and_either_choice_is_whole() {
    let base = sealed(&["password", "user"]);
    let (ours, theirs) = (set(&base, &["password"]), set(&set(&base, &["password"]), &["token"]));
    let merged = merge_texts(&document(&base), &document(&ours), &document(&theirs));
    assert!(!merged.is_clean);
    assert_eq!(merged.conflicts, ["prod/db: password changed on both sides"]);
    let found = conflict::find(&merged.text, 7).unwrap();
    let [only] = &found[..] else { panic!("{}", merged.text) };
    assert_eq!((only.ours_label, only.theirs_label), ("main", "feature"));
    assert!(only.ours.starts_with("    password: ") && only.ours.lines().count() == 1, "{}", only.ours);
    for (side, spec) in [(Side::Ours, &ours), (Side::Theirs, &theirs)] {
        let mut outline = read(&conflict::take(&merged.text, 7, side).unwrap());
        assert_eq!(outline.items["password"].line, spec.encrypted_data["password"]);
        let used: BTreeSet<String> = outline.used_keys().into_iter().map(str::to_owned).collect();
        outline.envelopes.retain(|envelope| envelope.keys.iter().any(|id| used.contains(id)));
        assert!(used.iter().all(|id| outline.envelope_of(id).is_some()));
    }
}

#[test]
fn comments_other_documents_and_layout_are_merged_as_text() {
    let base = sealed(&["user"]);
    let (ours, theirs) = (set(&base, &["password"]), set(&base, &["token"]));
    let other = |text: &str| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {text}}}\n");
    let merged = merge_texts(
        &format!("{}{}", document(&base), other("a")),
        &format!("# about it\n{}{}", document(&ours), other("a")),
        &format!("{}{}", document(&theirs), other("b")),
    );
    assert!(merged.is_clean, "{}", merged.text);
    assert!(merged.text.starts_with("# about it\n") && merged.text.contains("name: b"));
    let conflict = merge_texts(
        &format!("{}{}", document(&base), other("a")),
        &format!("{}{}", document(&ours), other("c")),
        &format!("{}{}", document(&theirs), other("b")),
    );
    assert!(!conflict.is_clean && conflict.conflicts.is_empty());
    let found = conflict::find(&conflict.text, 7).unwrap();
    assert!(found.len() == 1 && found[0].ours.contains("name: c"), "{}", conflict.text);
}

#[test]
fn an_object_that_was_renamed_on_one_side_takes_no_item_of_the_other() {
    let base = sealed(&["user"]);
    let theirs = set(&base, &["zzz"]);
    let renamed = document(&base).replace("name: db", "name: db2");
    let merged = merge_texts(&document(&base), &renamed, &document(&theirs));
    assert!(!merged.is_clean, "{}", merged.text);
    assert!(conflict::take(&merged.text, 7, Side::Ours).unwrap().contains("name: db2"));
    assert!(conflict::take(&merged.text, 7, Side::Theirs).unwrap().contains("zzz: "));
}

#[test]
fn a_side_without_a_sealed_secret_or_that_cannot_be_read_is_merged_as_text() {
    let text = merge_texts("a: 1\n", "a: 2\n", "a: 1\n");
    assert!(text.is_clean && text.text == "a: 2\n");
    let base = document(&sealed(&["user"]));
    let template = format!("{{{{ if .x }}}}\n{base}");
    let merged = merge_texts(&base, &template, &base);
    assert!(merged.is_clean && merged.text == template);
}

#[test]
fn a_template_and_the_item_that_it_uses_do_not_part_silently() {
    let place = place();
    let item = |name: &str| (name.parse().unwrap(), Item::new(Plaintext::from(b"x".to_vec()), true));
    let items: BTreeMap<_, _> = ["a", "b"].map(item).into();
    let base =
        seal(&place, Scope::Strict, &recipients(), &items, Template::default(), &BTreeSet::new()).unwrap();
    let mut theirs = base.clone();
    theirs.template.data.insert("url".to_owned(), "$(a)".to_owned());
    let merged = merge_texts(&document(&base), &document(&without(&base, "a")), &document(&theirs));
    assert!(!merged.is_clean, "{}", merged.text);
    assert!(merged.conflicts[0].contains("refers to item a"), "{:?}", merged.conflicts);
}

#[test]
fn layouts_that_differ_and_crlf_still_merge() {
    let base = sealed(&["user"]);
    let (ours, theirs) = (set(&base, &["password"]), set(&base, &["token"]));
    let crlf = |spec| document(spec).replace('\n', "\r\n");
    let merged = merge_texts(&crlf(&base), &crlf(&ours), &crlf(&theirs));
    assert!(merged.is_clean, "{}", merged.text);
    assert!(!merged.text.replace("\r\n", "").contains('\n'));
    let json = |spec: &SealedSecretSpec| {
        let spec = sealing::spec_value(spec).to_json(2, 2);
        format!(
            "{{\n  \"apiVersion\": \"sealing.dev/v1alpha1\",\n  \"kind\": \"SealedSecret\",\n  \"metadata\": {{\"name\": \
             \"db\", \"namespace\": \"prod\"}},\n  \"spec\": {}\n}}\n",
            *spec
        )
    };
    let merged = merge_texts(&json(&base), &json(&ours), &json(&theirs));
    assert!(merged.is_clean, "{}", merged.text);
    assert_eq!(read(&merged.text).items.len(), 3);
}

#[test]
fn what_a_text_merge_left_behind_is_mended() {
    let base = set(&sealed(&["a", "b"]), &["c"]);
    let mut broken = base.clone();
    broken.encrypted_data.remove("a");
    broken.encrypted_data.remove("b");
    let merged = merge_texts(&document(&base), &document(&broken), &document(&set(&base, &["d"])));
    assert!(merged.is_clean, "{}", merged.text);
    let outline = read(&merged.text);
    assert!(outline.fault.is_none() && outline.items.len() == 2 && outline.envelopes.len() == 2);
}

#[test]
fn sides_of_a_base_that_cannot_be_read_are_not_mixed() {
    let base = set(&sealed(&["a", "b"]), &["c"]);
    let unreadable = format!("{{{{ x\n{}", document(&base));
    let (ours, theirs) = (document(&without(&base, "a")), document(&without(&base, "b")));
    let merged = merge_texts(&unreadable, &ours, &theirs);
    assert!(!merged.is_clean, "{}", merged.text);
    assert_eq!(conflict::take(&merged.text, MARKER_SIZE, Side::Theirs).unwrap(), theirs);
    let one_side = merge_texts(&unreadable, &ours, &document(&base));
    assert!(one_side.is_clean && one_side.text == ours, "{}", one_side.text);
}

#[test]
fn json_on_one_line_and_lists_merge_too() {
    let base = sealed(&["user"]);
    let (ours, theirs) = (set(&base, &["password"]), set(&base, &["token"]));
    let flat = |spec: &SealedSecretSpec| {
        format!(
            "{{\"apiVersion\":\"sealing.dev/v1alpha1\",\"kind\":\"SealedSecret\",\"metadata\":{{\"name\":\"db\",\"namespace\":\
             \"prod\"}},\"spec\":{}}}\n",
            *sealing::spec_value(spec).to_compact_json()
        )
    };
    let merged = merge_texts(&flat(&base), &flat(&ours), &flat(&theirs));
    assert!(merged.is_clean, "{}", merged.text);
    assert_eq!((read(&merged.text).items.len(), merged.text.lines().count()), (3, 1));
    let list = |spec: &SealedSecretSpec| {
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}\n", flat(spec).trim_end())
    };
    let merged = merge_texts(&list(&base), &list(&ours), &list(&theirs));
    assert!(merged.is_clean, "{}", merged.text);
    assert_eq!(read(&merged.text).items.len(), 3);

    let (ours, theirs) = (set(&base, &["user"]), set(&base, &["user"]));
    let merged = merge_texts(&flat(&base), &flat(&ours), &flat(&theirs));
    assert_eq!(merged.conflicts, ["prod/db: user changed on both sides"]);
    for (side, spec) in [(Side::Ours, &ours), (Side::Theirs, &theirs)] {
        let text = conflict::take(&merged.text, MARKER_SIZE, side).unwrap();
        assert_eq!(read(&text).items["user"].line, spec.encrypted_data["user"]);
    }
}

#[test]
fn objects_beside_each_other_merge_each_for_itself() {
    let base = sealed(&["user"]);
    let other = |spec: &SealedSecretSpec| {
        document(spec).replace("name: db", "name: cache").replace("strict", "namespace-wide")
    };
    let both =
        |one: &SealedSecretSpec, two: &SealedSecretSpec| format!("{}---\n{}", document(one), other(two));
    let (added, changed) = (set(&base, &["password"]), set(&base, &["user"]));
    let merged = merge_texts(&both(&base, &base), &both(&added, &base), &both(&base, &changed));
    assert!(merged.is_clean, "{}", merged.text);
    assert_eq!(merged.text, both(&added, &changed));
    let apart = merge_texts(&both(&base, &base), &both(&base, &added), &both(&base, &changed));
    assert!(apart.is_clean, "{:?}", apart.conflicts);
    let twice = format!("{}---\n{}", document(&base), document(&base));
    let ambiguous = merge_texts(&twice, &twice.replacen("strict", "strict # x", 1), &format!("{twice}# y\n"));
    assert_eq!(ambiguous.conflicts, ["prod/db: the file has several objects of this name"]);
}

#[test]
fn markers_in_another_document_do_not_stand_for_an_object_that_would_be_mixed() {
    let base = sealed(&["mmm"]);
    let mut wide = set(&base, &["mmm"]);
    wide.scope = Scope::NamespaceWide;
    let theirs = set(&base, &["aaa"]);
    let other = |text: &str| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {text}}}\n");
    let (one, two) = (document(&wide) + &other("one"), document(&theirs) + &other("two"));
    let merged = merge_texts(&(document(&base) + &other("x")), &one, &two);
    assert!(merged.conflicts[0].contains("its scope changed on one side"), "{:?}", merged.conflicts);
    assert_eq!(conflict::take(&merged.text, MARKER_SIZE, Side::Ours).unwrap(), one);
    assert_eq!(conflict::take(&merged.text, MARKER_SIZE, Side::Theirs).unwrap(), two);
}
