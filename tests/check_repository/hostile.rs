//! A pull request by somebody who wants to read what will be sealed, or to break what is deployed, and to have it merged.
//!
//! Each step is done by itself, so that no other finding covers for a rule that looks away. Invariant: `check --policy` of the
//! branch that is merged into finds each of them, and `diff` shows it, whatever the pull request does to its own rules.

use seal_crds::Scope;
use seal_tests::repository::sealed::{Keys, manifest, native, spec};

use super::{Fault, commit, findings, git, seal};
use crate::sandbox::{Run, Sandbox};

const RULES: &str = "\
version: 1
recipients:
  prod: {file: keys/prod.pub}
  recovery: {file: keys/recovery.pub, recovery: true}
rules:
  - path: \"clusters/{namespace}/**\"
    to: [prod, recovery]
";

/// A repository in which nothing is wrong, with all of it committed on `main`.
struct Scene {
    sandbox: Sandbox,
    keys: Keys,
}

impl Scene {
    fn new() -> Self {
        let (sandbox, keys) = (Sandbox::new(), Keys::generate());
        git(&sandbox, &["init", "-q", "-b", "main"]);
        sandbox.write(".gitignore", "/*.key\n/keys-backup.yaml\n");
        sandbox.write(".seal.yaml", RULES);
        sandbox.write("keys/prod.pub", format!("{}\n", keys.prod));
        sandbox.write("keys/recovery.pub", format!("{}\n", keys.recovery));
        sandbox.write("clusters/shop/db.yaml", native("shop/db", &keys.both()));
        sandbox.write("clusters/shop/app.yaml", native("shop/app", &keys.both()));
        commit(&sandbox, "main");
        git(&sandbox, &["checkout", "-q", "-b", "topic"]);
        Self { sandbox, keys }
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.sandbox.read(path)).unwrap()
    }

    fn check(&self) -> Run {
        commit(&self.sandbox, "topic");
        seal(&self.sandbox, &["check", "--policy", "main", "--strict"])
    }

    /// The pull request is stopped by these findings among others.
    #[track_caller]
    fn assert_stopped_by(&self, expected: &[(&str, &str)]) {
        let run = self.check();
        let found = findings(&run);
        for (rule, path) in expected {
            let fault = Fault::new(rule, path);
            assert!(found.contains(&fault), "{fault:?} in {found:?}\n{}", run.stderr);
        }
        assert_eq!(run.code, 1, "{}", run.stderr);
    }

    /// `seal diff` tells a reviewer of it.
    #[track_caller]
    fn assert_shown(&self, expected: &[&str]) {
        commit(&self.sandbox, "topic");
        let run = seal(&self.sandbox, &["diff", "main..topic"]);
        let shown = String::from_utf8(run.stdout).unwrap();
        for line in expected {
            assert!(shown.contains(line), "{line} in:\n{shown}{}", run.stderr);
        }
    }
}

#[test]
fn a_pull_request_without_malice_passes() {
    let scene = Scene::new();
    scene.sandbox.write("clusters/shop/new.yaml", native("shop/new", &scene.keys.both()));
    let run = scene.check();
    assert_eq!((run.code, run.stdout.as_slice()), (0, b"".as_slice()), "{}", run.stderr);
}

#[test]
fn a_recipient_that_is_added_to_a_pin_file_is_found() {
    let scene = Scene::new();
    scene.sandbox.write("keys/prod.pub", format!("{}\n{}\n", scene.keys.prod, scene.keys.stranger));
    scene.assert_stopped_by(&[("pins-changed", ".seal.yaml")]);
    scene.assert_shown(&["! .seal.yaml  PINS: clusters/{namespace}/** now also seals to "]);
    // And what is sealed to it already.
    let keys = &scene.keys;
    scene
        .sandbox
        .write("clusters/shop/db.yaml", native("shop/db", &[&keys.prod, &keys.recovery, &keys.stranger]));
    scene.assert_stopped_by(&[("pins-changed", ".seal.yaml"), ("recipients-extra", "clusters/shop/db.yaml")]);
    scene.assert_shown(&["clusters/shop/db.yaml  shop/db"]);
}

#[test]
fn rules_of_its_own_in_a_directory_are_found_and_not_obeyed() {
    let scene = Scene::new();
    let own = "version: 1\nrecipients: {me: {file: me.pub}}\nrules: [{path: '**', to: [me]}]\nignore: [{rule: recipients-extra, \
               path: '**', reason: x}]\n";
    scene.sandbox.write("clusters/shop/.seal.yaml", own);
    scene.sandbox.write("clusters/shop/me.pub", format!("{}\n", scene.keys.stranger));
    scene.sandbox.write("clusters/shop/db.yaml", native("shop/db", &[&scene.keys.stranger]));
    let expected = [
        ("nested-rules", "clusters/shop/.seal.yaml"),
        ("recipients-extra", "clusters/shop/db.yaml"),
        ("recipients-missing", "clusters/shop/db.yaml"),
    ];
    scene.assert_stopped_by(&expected);
    scene.assert_shown(&[
        "! clusters/shop/.seal.yaml  counts for nothing: no rules file above it calls its directory nested",
    ]);
    scene.sandbox.write(".seal.yaml", format!("{RULES}nested: [clusters/shop]\n"));
    scene.assert_stopped_by(&expected);
    scene.assert_stopped_by(&[("pins-changed", ".seal.yaml")]);
    scene.assert_shown(&["! .seal.yaml", "PINS: ", "clusters/shop/db.yaml  shop/db"]);
}

#[test]
fn a_pin_file_that_leads_outside_stops_it() {
    let scene = Scene::new();
    std::fs::remove_file(scene.sandbox.path("keys/prod.pub")).unwrap();
    std::os::unix::fs::symlink("../../outside.pub", scene.sandbox.path("keys/prod.pub")).unwrap();
    let run = scene.check();
    // Rules that can't be understood are no findings: they are worse.
    let told = format!("{}{}", run.stderr, String::from_utf8_lossy(&run.stdout));
    assert!(
        run.code != 0 && told.contains("keys/prod.pub") && told.contains("symbolic link"),
        "{} {told}",
        run.code
    );
    scene.assert_shown(&[
        "! .seal.yaml  can't be understood: recipient prod: keys/prod.pub is behind a symbolic link",
    ]);
}

#[test]
fn a_recipient_that_is_hidden_in_an_envelope_is_found() {
    let scene = Scene::new();
    let keys = &scene.keys;
    let mut hidden = spec("shop/db", Scope::Strict, &[&keys.prod, &keys.recovery, &keys.stranger]);
    hidden.envelopes[0].recipients.pop();
    scene.sandbox.write("clusters/shop/db.yaml", manifest("shop/db", &hidden));
    scene.assert_stopped_by(&[("hidden-recipient", "clusters/shop/db.yaml")]);
    scene.assert_shown(&["! recipients   an age file is sealed to 3, and lists 2"]);
}

#[test]
fn a_file_that_is_moved_to_another_namespace_is_found() {
    let scene = Scene::new();
    let moved = scene.text("clusters/shop/db.yaml").replace("namespace: shop", "namespace: mallory");
    std::fs::remove_file(scene.sandbox.path("clusters/shop/db.yaml")).unwrap();
    scene.sandbox.write("clusters/mallory/db.yaml", &moved);
    scene.assert_stopped_by(&[("moved", "clusters/mallory/db.yaml")]);
    scene.assert_shown(&["! moved        shop/db → mallory/db without sealing again: will not open"]);
    let copied = scene.text("clusters/shop/app.yaml").replace("namespace: shop", "namespace: mallory");
    scene.sandbox.write("clusters/mallory/app.yaml", copied);
    scene.assert_stopped_by(&[("copied", "clusters/mallory/app.yaml")]);
    scene.assert_shown(&["shop/app"]);
}

#[test]
fn a_template_that_shows_an_item_is_found() {
    let scene = Scene::new();
    let text = scene.text("clusters/shop/db.yaml");
    assert!(!text.contains("template:"), "{text}");
    scene
        .sandbox
        .write("clusters/shop/db.yaml", format!("{text}  template:\n    data:\n      url: $(password)\n"));
    scene.assert_stopped_by(&[("plaintext-template", "clusters/shop/db.yaml")]);
    scene.assert_shown(&["! template     url now shows password to whoever reads key url"]);
}

#[test]
fn a_pull_request_does_not_bring_its_own_permission_along() {
    let scene = Scene::new();
    let comment = "# seal: allow recipients-extra, hidden-recipient -- trust me\n";
    let extra = native("shop/db", &[&scene.keys.prod, &scene.keys.recovery, &scene.keys.stranger]);
    scene.sandbox.write("clusters/shop/db.yaml", format!("{comment}{extra}"));
    scene
        .sandbox
        .write(".seal.yaml", format!("{RULES}ignore: [{{rule: recipients-extra, path: '**', reason: x}}]\n"));
    scene
        .sandbox
        .write(".seal-baseline", "# seal baseline v1\nrecipients-extra\tclusters/shop/db.yaml\tshop/db\t\n");
    scene.assert_stopped_by(&[
        ("recipients-extra", "clusters/shop/db.yaml"),
        ("unused-allow", "clusters/shop/db.yaml"),
        ("pins-changed", ".seal.yaml"),
    ]);
}

/// Three characters end a line to kubectl and kustomize, and none to YAML 1.2: what stands behind one isn't a comment there.
#[test]
fn a_line_end_that_only_kubectl_sees_hides_nothing() {
    for separator in ["\u{85}", "\u{2028}", "\u{2029}"] {
        let scene = Scene::new();
        let secret = ["# x", "apiVersion: v1", "kind: Secret", "metadata: {name: x}", "stringData: {a: b}"];
        scene.sandbox.write("clusters/shop/x.yaml", format!("{}\n", secret.join(separator)));
        let template = format!(" # x{separator}  template: {{metadata: {{labels: {{a: b}}}}}}\n  scope:");
        let sealed = scene.text("clusters/shop/db.yaml").replacen("\n  scope:", &template, 1);
        scene.sandbox.write("clusters/shop/db.yaml", sealed);
        for (path, told) in [("x", "kind: Secret"), ("db", "a: b")] {
            let kustomization = format!("resources: [../clusters/shop/{path}.yaml]\n");
            scene.sandbox.write("build/kustomization.yaml", kustomization);
            let built = std::process::Command::new(seal_tests::toolchain::bin("kubectl"))
                .args(["kustomize", "--load-restrictor=LoadRestrictionsNone"])
                .arg(scene.sandbox.path("build"))
                .output()
                .unwrap();
            let built = String::from_utf8(built.stdout).unwrap();
            assert!(built.contains(told), "kustomize read {path} as\n{built}");
        }
        let paths = ["clusters/shop/db.yaml", "clusters/shop/x.yaml"];
        scene.assert_stopped_by(&paths.map(|path| ("unreadable", path)));
        for path in paths {
            scene.assert_shown(&[&format!(
                "! {path}  looks like a file of Secrets, and can't be read as one"
            )]);
        }
    }
}

#[test]
fn a_type_or_a_text_in_disguise_is_found_and_shown() {
    let scene = Scene::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: b}\n";
    let utf_16: Vec<u8> = format!("\u{feff}{secret}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    scene.sandbox.write("clusters/shop/utf-16.yaml", utf_16);
    scene.sandbox.write("clusters/shop/tag.yaml", secret.replace("kind: Secret", "kind: !!binary U2VjcmV0"));
    // Deeper than is read here, and not too deep for kubectl.
    let deep =
        format!("{}x: {}{}\n", secret.replace("kind: ", "kind:\n  "), "[".repeat(200), "]".repeat(200));
    scene.sandbox.write("clusters/shop/deep.yaml", deep);
    scene.assert_stopped_by(&[
        ("plaintext", "clusters/shop/utf-16.yaml"),
        ("plaintext", "clusters/shop/tag.yaml"),
        ("unreadable", "clusters/shop/deep.yaml"),
    ]);
    for path in ["utf-16", "tag", "deep"] {
        let told =
            format!("! clusters/shop/{path}.yaml  looks like a file of Secrets, and can't be read as one");
        scene.assert_shown(&[&told]);
    }
}

#[test]
fn a_file_that_takes_the_place_of_the_rules_in_some_clones_is_found() {
    let scene = Scene::new();
    scene.sandbox.write(".Seal.yaml", RULES);
    scene.sandbox.write("clusters/.SEAL.yaml", RULES);
    scene.sandbox.write("keys/PROD.pub", format!("{}\n", scene.keys.stranger));
    scene.assert_stopped_by(&[
        ("nested-rules", ".Seal.yaml"),
        ("nested-rules", "clusters/.SEAL.yaml"),
        ("nested-rules", "keys/PROD.pub"),
    ]);
}

#[test]
fn a_link_in_the_place_of_a_file_and_attributes_that_hide_it_are_shown() {
    let scene = Scene::new();
    let path = "clusters/shop/db.yaml";
    std::fs::remove_file(scene.sandbox.path(path)).unwrap();
    std::os::unix::fs::symlink("app.yaml", scene.sandbox.path(path)).unwrap();
    scene.sandbox.write("clusters/.gitattributes", "* -diff\n");
    scene.assert_shown(&[
        "! clusters/.gitattributes  git shows and merges by: * -diff",
        "! clusters/shop/db.yaml  is a symbolic link to app.yaml, and isn't followed",
        "- removed",
    ]);
}

/// What the link leads to is right where it stands: there's no rule there, or one of another environment.
#[test]
fn a_file_behind_a_link_is_held_against_the_rule_for_the_link() {
    let scene = Scene::new();
    scene.sandbox.write("notes/db.yaml", native("shop/db", &[&scene.keys.stranger]));
    std::fs::remove_file(scene.sandbox.path("clusters/shop/db.yaml")).unwrap();
    std::os::unix::fs::symlink("../../notes/db.yaml", scene.sandbox.path("clusters/shop/db.yaml")).unwrap();
    let expected =
        [("recipients-extra", "clusters/shop/db.yaml"), ("recipients-missing", "clusters/shop/db.yaml")];
    scene.assert_stopped_by(&expected);
    scene.assert_shown(&["! clusters/shop/db.yaml  is a symbolic link to ../../notes/db.yaml"]);

    // A directory, and one link to the next.
    std::fs::remove_file(scene.sandbox.path("clusters/shop/db.yaml")).unwrap();
    std::os::unix::fs::symlink("clusters/../other", scene.sandbox.path("link")).unwrap();
    std::os::unix::fs::symlink("notes", scene.sandbox.path("other")).unwrap();
    std::os::unix::fs::symlink("../../link", scene.sandbox.path("clusters/shop/more")).unwrap();
    let expected =
        ["recipients-extra", "recipients-missing"].map(|rule| (rule, "clusters/shop/more/db.yaml"));
    scene.assert_stopped_by(&expected);
    // Where only the link changes, and where only what is behind it does.
    for changed in ["clusters/shop/more", "notes/db.yaml"] {
        git(&scene.sandbox, &["checkout", "-q", "-B", "changed", "topic"]);
        git(&scene.sandbox, &["rm", "-q", "--cached", changed]);
        git(&scene.sandbox, &["commit", "-q", "-m", "before"]);
        git(&scene.sandbox, &["add", changed]);
        git(&scene.sandbox, &["commit", "-q", "-m", "after"]);
        let found = findings(&seal(&scene.sandbox, &["check", "HEAD~1..HEAD"]));
        assert!(found.contains(&Fault::new(expected[0].0, expected[0].1)), "{changed}: {found:?}");
    }
}

/// A link may give a file a second name; what is right in both places is no finding.
#[test]
fn a_link_to_what_is_right_in_both_places_passes() {
    let scene = Scene::new();
    let keys = &scene.keys;
    scene.sandbox.write(".seal.yaml", format!("{RULES}  - path: \"**\"\n    to: none\n"));
    commit(&scene.sandbox, "rules");
    git(&scene.sandbox, &["branch", "-q", "-f", "main"]);
    scene.sandbox.write("clusters/shop/new.yaml", native("shop/new", &keys.both()));
    std::os::unix::fs::symlink("new.yaml", scene.sandbox.path("clusters/shop/latest.yaml")).unwrap();
    std::os::unix::fs::symlink("gone", scene.sandbox.path("clusters/broken")).unwrap();
    std::fs::create_dir_all(scene.sandbox.path("clusters/shop/parts")).unwrap();
    std::os::unix::fs::symlink("..", scene.sandbox.path("clusters/shop/parts/all")).unwrap();
    let run = scene.check();
    assert_eq!((run.code, run.stdout.as_slice()), (0, b"".as_slice()), "{}", run.stderr);
    // A second way to all of it, where no SealedSecret is allowed, is worth one word for all of its files.
    std::os::unix::fs::symlink("clusters", scene.sandbox.path("latest")).unwrap();
    let run = scene.check();
    let told = String::from_utf8(run.stdout).unwrap();
    assert_eq!((run.code, told.lines().count()), (1, 1), "{told}");
    assert!(told.contains("warning place") && told.contains("latest is a symbolic link, and "), "{told}");
}

#[test]
fn a_comment_that_allows_plaintext_is_shown_wherever_it_stands() {
    let scene = Scene::new();
    let kustomization =
        "# seal: allow plaintext-generator -- trust me\nsecretGenerator: [{name: x, literals: [a=b]}]\n";
    scene.sandbox.write("clusters/shop/kustomization.yaml", kustomization);
    scene.assert_shown(&["! clusters/shop/kustomization.yaml  allow plaintext-generator -- trust me"]);
}
