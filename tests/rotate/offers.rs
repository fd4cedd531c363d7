//! `seal rotate --from-cluster` and `--verify`, beside a real kube-apiserver. The test writes the statuses, so that it can
//! forge them.
//!
//! Invariant: the user of these runs may list SealedSecrets, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use seal_crds::keys::{Identity, Keyring};
use seal_crds::native::{Item, NamedRecipient, NativeSealed, seal, target};
use seal_crds::resources::{Rewrap, SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Scope};
use seal_tests::control_plane::ControlPlane;
use serde_json::{Value, json};

use crate::sandbox::{Run, Sandbox, run};

/// A namespace with SealedSecrets, and a repository of the same.
struct Stage {
    sandbox: Sandbox,
    namespace: String,
    old: Identity,
    new: NamedRecipient,
}

impl Stage {
    fn new(prefix: &str) -> Self {
        let sandbox = Sandbox::new();
        let namespace = ControlPlane::shared().namespace(prefix);
        let new = Identity::generate();
        sandbox.write("new.pub", format!("# name: sealing-key-2\n{}\n", new.recipient()));
        let new = NamedRecipient { recipient: new.recipient().clone(), name: Some("whatever".to_owned()) };
        Self { sandbox, namespace, old: Identity::generate(), new }
    }

    fn place(&self, name: &str) -> Place {
        Place { namespace: self.namespace.parse().unwrap(), name: name.parse().unwrap() }
    }

    /// Seals an object with two items to the old key.
    fn sealed(&self, name: &str) -> SealedSecretSpec {
        let to = NamedRecipient { recipient: self.old.recipient().clone(), name: None };
        let item = |name: &str| {
            (name.parse().unwrap(), Item::new(Plaintext::from(b"opensesame".to_vec()), name == "t"))
        };
        let items: BTreeMap<_, _> = ["a", "t"].map(item).into();
        seal(&self.place(name), Scope::Strict, &[to], &items, Template::default(), &BTreeSet::new()).unwrap()
    }

    /// The offer of an honest controller.
    fn offer(&self, name: &str, spec: &SealedSecretSpec, to: &[NamedRecipient]) -> Rewrap {
        let sealed = NativeSealed::parse(self.place(name), spec, &BTreeSet::new()).unwrap();
        let keys: Keyring = [Identity::parse(&self.old.to_secret_string()).unwrap()].into_iter().collect();
        Rewrap {
            source: sealed.source(),
            target: target(to.iter().map(|to| to.recipient.fingerprint())),
            envelope: sealed.rewrap(&keys, to).unwrap(),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("/apis/sealing.dev/v1alpha1/namespaces/{}/sealedsecrets/{name}", self.namespace)
    }

    /// Writes a file without a namespace, as a base of kustomize has it.
    fn write(&self, name: &str, spec: &SealedSecretSpec) {
        let spec = serde_yaml::to_string(spec).unwrap().trim_end().replace('\n', "\n  ");
        let text = format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret # {name}\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n"
        );
        self.sandbox.write(format!("{name}.yaml"), text);
    }

    /// Applies an object under any name, with a label that the file doesn't have.
    fn apply(&self, name: &str, spec: &SealedSecretSpec) {
        let mut object = json!({
            "apiVersion": "sealing.dev/v1alpha1", "kind": "SealedSecret", "metadata": {"name": name}, "spec": spec,
        });
        object["spec"]["template"]["metadata"]["labels"] = json!({"team": "x"});
        ControlPlane::shared().api().apply(&self.path(name), "gitops", true, &object).unwrap();
    }

    /// Writes a status about the present generation.
    fn say(&self, name: &str, conditions: &[(&str, &str, &str)], rewrap: Option<&Rewrap>) {
        let api = ControlPlane::shared().api();
        let generation = api.get(&self.path(name)).unwrap()["metadata"]["generation"].clone();
        let condition = |&(type_, status, reason): &(&str, &str, &str)| {
            json!({"type": type_, "status": status, "reason": reason, "message": "", "observedGeneration": generation,
                "lastTransitionTime": "2026-11-21T10:00:00Z"})
        };
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        let status =
            json!({"status": {"observedGeneration": generation, "conditions": conditions, "rewrap": rewrap}});
        api.merge(&format!("{}/status", self.path(name)), &status).unwrap();
    }

    /// The kubeconfig of a user with these rights: `[]`, or to list SealedSecrets in this namespace.
    fn user(&self, may_list: bool) -> PathBuf {
        let plane = ControlPlane::shared();
        let name = if may_list { "reader" } else { "nobody" };
        if may_list {
            plane.apply(
                &json!({"apiVersion": "v1", "kind": "List", "items": [
                    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                        "metadata": {"name": "reader", "namespace": self.namespace},
                        "rules": [{"apiGroups": ["sealing.dev"], "resources": ["sealedsecrets"], "verbs": ["list"]}]},
                    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                        "metadata": {"name": "reader", "namespace": self.namespace},
                        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
                        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": self.namespace}]},
                ]})
                .to_string(),
            );
        }
        plane.service_account(&self.namespace, name)
    }

    fn rotate(&self, user: &PathBuf, args: &[&str]) -> Run {
        let mut seal = self.sandbox.seal(["rotate", "-r", "new.pub", "-n", &self.namespace]);
        seal.args(args).arg("--kubeconfig").arg(user).arg("--context=test");
        run(&mut seal, b"")
    }

    /// The lines of the report, by the file that they are about, without place and line number.
    fn lines(run: &Run) -> BTreeMap<String, String> {
        let text = String::from_utf8(run.stdout.clone()).unwrap();
        let line = |line: &str| {
            let (file, rest) = line.split_once(".yaml:").unwrap();
            (file.to_owned(), rest.split_once(": ").unwrap().1.to_owned())
        };
        text.lines().map(line).collect()
    }
}

#[test]
fn offers_are_taken_where_they_are_honest_and_every_other_file_is_named_with_the_reason() {
    let stage = Stage::new("offers");
    let intruder = NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
    let new = std::slice::from_ref(&stage.new);
    let offered = ("RewrapOffered", "True", "Offered");
    let ready = ("Ready", "True", "Unsealed");
    for name in
        ["honest", "renamed", "intruder", "uncovered", "none-yet", "foreign", "behind", "absent", "large"]
    {
        let spec = stage.sealed(name);
        stage.write(name, &spec);
        let live = if name == "renamed" { "prefix-renamed" } else { name };
        let mut offer = stage.offer(name, &spec, new);
        match name {
            "absent" => {}
            "behind" => {
                // The cluster has an older state of the file.
                let older = stage.sealed(name);
                stage.apply(live, &older);
                stage.say(live, &[ready, offered], Some(&stage.offer(name, &older, new)));
            }
            _ => {
                stage.apply(live, &spec);
                let reason = match name {
                    "foreign" => "ForeignRecipients",
                    "large" => "OfferTooLarge",
                    _ => "Offered",
                };
                match name {
                    "intruder" => offer = stage.offer(name, &spec, &[stage.new.clone(), intruder.clone()]),
                    "uncovered" => drop(offer.envelope.keys.pop()),
                    _ => {}
                }
                let offer = Some(&offer).filter(|_| reason == "Offered" && name != "none-yet");
                let conditions =
                    [ready, ("RewrapOffered", if offer.is_some() { "True" } else { "False" }, reason)];
                stage.say(live, if name == "none-yet" { &conditions[..1] } else { &conditions }, offer);
            }
        }
    }
    // The user lists the namespace of -n, since they may not list all.
    let reader = stage.user(true);
    let before = stage.sandbox.files();
    let args = ["--from-cluster"];
    let dry = stage.rotate(&reader, &["--from-cluster", "--dry-run"]);
    assert!(stage.sandbox.files() == before, "a dry run wrote");
    let run = stage.rotate(&reader, &args);
    assert_eq!((run.code, dry.code), (1, 1), "{}", run.stderr);
    let lines = Stage::lines(&run);
    let (short, old) = (stage.new.recipient.fingerprint().short(), stage.old.fingerprint().short());
    for name in ["honest", "renamed"] {
        assert_eq!(
            lines.get(name).unwrap_or_else(|| panic!("{lines:?} {}", run.stderr)),
            &format!("{name}: now to {short} (sealing-key-2); no longer to {old}")
        );
    }
    let place = |name: &str| format!("{}/{name}", stage.namespace);
    for (name, why) in [
        (
            "intruder",
            format!(
                "the offer of {} can't be taken: the offer is sealed to recipients that aren't pinned: {}",
                place("intruder"),
                intruder.recipient.fingerprint().short()
            ),
        ),
        (
            "uncovered",
            format!(
                "the offer of {} can't be taken: with the offer, the object would be refused: item ",
                place("uncovered")
            ),
        ),
        ("none-yet", format!("{} has no offer yet", place("none-yet"))),
        ("foreign", format!("{} is sealed to recipients that this cluster doesn't know", place("foreign"))),
        ("large", format!("{} would be too large with an offer", place("large"))),
        ("behind", "no object of the cluster has these envelopes".to_owned()),
        ("absent", "no object of the cluster has these envelopes".to_owned()),
    ] {
        assert!(lines[name].starts_with(&format!("{name}: left: {why}")), "{}", lines[name]);
    }
    assert_eq!(lines.len(), 9);
    assert!(
        run.stderr.ends_with("2 SealedSecrets were rotated in 2 files; 7 are left, as said above\n"),
        "{}",
        run.stderr
    );
    for (path, text) in stage.sandbox.files() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(text != before[&path], ["honest", "renamed"].contains(&name), "{name}");
        let [text, old] = [&text, &before[&path]].map(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(super::outside(&text), super::outside(&old), "{name}");
    }

    // What was taken is sealed to the pins, so it needs nothing more, applied or not.
    let again = stage.rotate(&reader, &["--from-cluster", "honest.yaml", "renamed.yaml"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.ends_with("nothing to rotate; 2 don't need it\n"), "{}", again.stderr);
    // Whoever may not list is told so, and nothing counts as done.
    let nobody = stage.user(false);
    let refused = stage.rotate(&nobody, &["--from-cluster"]);
    assert_eq!(refused.code, 1);
    assert!(Stage::lines(&refused)["absent"].contains("you may not list the SealedSecrets of its namespace"));
}

/// One file is longer than any file may grow, so writing that one kills the program.
#[test]
fn killed_while_it_writes_any_file_it_leaves_whole_files_and_the_next_run_takes_the_other_offers() {
    let stage = Stage::new("killed");
    let names: Vec<String> = (10..22).map(|index| format!("s{index}")).collect();
    let new = std::slice::from_ref(&stage.new);
    for name in &names {
        let spec = stage.sealed(name);
        stage.write(name, &spec);
        stage.apply(name, &spec);
        let offer = stage.offer(name, &spec, new);
        stage.say(name, &[("Ready", "True", "Unsealed"), ("RewrapOffered", "True", "Offered")], Some(&offer));
    }
    let reader = stage.user(true);
    let text = |name: &str| String::from_utf8(stage.sandbox.read(format!("{name}.yaml"))).unwrap();
    let before: BTreeMap<&String, String> = names.iter().map(|name| (name, text(name))).collect();
    let long = "# x\n".repeat(8 << 10);
    let (old, target) = (stage.old.fingerprint().to_string(), stage.new.recipient.fingerprint().to_string());
    for last in [&names[0], &names[6], &names[11]] {
        let given =
            |name: &String| if name == last { before[name].clone() + &long } else { before[name].clone() };
        for name in &names {
            stage.sandbox.write(format!("{name}.yaml"), given(name));
        }
        let mut shell = Command::new("/bin/sh");
        stage.sandbox.confine(&mut shell);
        // 32 blocks of 512 bytes.
        shell.args(["-c", "ulimit -f 32; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_test-seal")]);
        shell.args(["rotate", "--from-cluster", "-r", "new.pub", "-n", &stage.namespace, "--context=test"]);
        let killed = run(shell.arg("--kubeconfig").arg(&reader), b"");
        assert_eq!(killed.code, -1, "it wasn't killed: {}", killed.stderr);
        for name in &names {
            let (text, given) = (text(name), given(name));
            assert!(text == given || text.contains(&target) && !text.contains(&old), "{name}: {text}");
            assert_eq!(super::outside(&text), super::outside(&given), "{name}");
        }
        assert_eq!(text(last), given(last));
        let next = stage.rotate(&reader, &["--from-cluster"]);
        assert_eq!(next.code, 0, "{}{}", String::from_utf8_lossy(&next.stdout), next.stderr);
        for name in &names {
            let text = text(name);
            assert!(text.contains(&target) && !text.contains(&old), "{name}: {text}");
        }
    }
}

#[test]
fn verify_waits_for_every_object_as_it_stands_in_the_files_and_names_those_that_are_not_ready() {
    let stage = Stage::new("verified");
    let ready = ("Ready", "True", "Unsealed");
    let rotated = |name: &str| {
        let spec = stage.sealed(name);
        let envelope = stage.offer(name, &spec, std::slice::from_ref(&stage.new)).envelope;
        SealedSecretSpec { envelopes: vec![envelope], ..spec }
    };
    let reader = stage.user(true);
    let verify = |args: &[&str]| stage.rotate(&reader, &[&["--verify"], args].concat());
    for name in ["good", "stuck", "late"] {
        let spec = rotated(name);
        stage.write(name, &spec);
        if name != "late" {
            stage.apply(name, &spec);
        }
        match name {
            "good" => stage.say(name, &[ready], None),
            "stuck" => {
                let reason = "EnvelopeAltered";
                stage.say(name, &[("Ready", "False", reason), ("Stalled", "True", reason)], None);
            }
            _ => {}
        }
    }
    let before = stage.sandbox.files();
    let run = verify(&["--timeout=1s"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines = Stage::lines(&run);
    assert_eq!(lines.keys().collect::<Vec<_>>(), ["late", "stuck"]);
    assert!(
        lines["stuck"].contains("/stuck is not Ready and won't be: EnvelopeAltered"),
        "{}",
        lines["stuck"]
    );
    assert!(lines["late"].contains("no object of the cluster is sealed like this"), "{}", lines["late"]);
    assert!(
        run.stderr
            .ends_with("1 SealedSecret is Ready as it stands in these files; 2 aren't, as said above\n"),
        "{}",
        run.stderr
    );
    // What can't become Ready isn't waited for.
    let start = std::time::Instant::now();
    assert_eq!(verify(&["good.yaml", "stuck.yaml", "--timeout=10m"]).code, 1);
    assert!(start.elapsed() < std::time::Duration::from_secs(60));

    // A status about an older generation is no word about the object as it is.
    let spec = rotated("good");
    stage.write("good", &spec);
    stage.apply("good", &spec);
    let run = verify(&["good.yaml", "--timeout=0"]);
    assert!(
        Stage::lines(&run)["good"].contains("the controller says nothing of"),
        "{:?}",
        Stage::lines(&run)
    );
    // And it waits until there is one.
    let late = std::fs::read_to_string(stage.sandbox.path("late.yaml")).unwrap();
    let late: Value = serde_yaml::from_str(&late).unwrap();
    let late: SealedSecretSpec = serde_json::from_value(late["spec"].clone()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(3));
            stage.apply("late", &late);
            for name in ["good", "late"] {
                stage.say(name, &[ready], None);
            }
        });
        let run = verify(&["good.yaml", "late.yaml", "--timeout=60s"]);
        assert_eq!((run.code, run.stdout.len()), (0, 0), "{}", run.stderr);
        assert!(
            run.stderr.ends_with("2 SealedSecrets are Ready as they stand in these files\n"),
            "{}",
            run.stderr
        );
    });

    // A file that was never rotated is no success, however Ready its object is.
    let spec = stage.sealed("forgotten");
    stage.write("forgotten", &spec);
    stage.apply("forgotten", &spec);
    stage.say("forgotten", &[ready], None);
    let run = verify(&["forgotten.yaml", "--timeout=10m"]);
    assert_eq!(run.code, 1);
    assert!(Stage::lines(&run)["forgotten"].contains("isn't rotated: it is sealed to "));
    let after = stage.sandbox.files();
    assert!(
        before.iter().all(|(path, text)| path.ends_with("good.yaml") || after[path] == *text),
        "it wrote"
    );
}

/// The threat: whoever reads the repository applies its objects in a namespace of their own, where they never open, and
/// forges an offer there.
#[test]
fn a_copy_in_a_tenants_namespace_holds_up_neither_a_rotation_nor_its_check() {
    let (stage, tenant) = (Stage::new("copied"), Stage::new("tenant"));
    let spec = stage.sealed("db");
    let envelope = stage.offer("db", &spec, std::slice::from_ref(&stage.new)).envelope;
    let rotated = SealedSecretSpec { envelopes: vec![envelope], ..spec.clone() };
    stage.write("db", &rotated);
    let intruder = NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
    let mut forged = stage.offer("db", &spec, &[intruder]);
    forged.source = NativeSealed::parse(stage.place("db"), &rotated, &BTreeSet::new()).unwrap().source();
    let stalled = [("Ready", "False", "NoMatchingKey"), ("Stalled", "True", "NoMatchingKey")];
    tenant.apply("db", &rotated);
    tenant.say("db", &stalled, Some(&forged));
    let admin = ControlPlane::shared().kubeconfig().to_owned();
    let both = |time| [&["--from-cluster"][..], &["--verify", time]].map(|way| stage.rotate(&admin, way));
    // As long as the copy is all that there is, it may be what a tool made of the file, and the object may still come.
    let before = std::time::Instant::now();
    let [offers, verify] = both("--timeout=4s");
    assert!(before.elapsed().as_secs() >= 4, "it didn't wait for the object itself");
    assert_eq!((offers.code, verify.code), (1, 1), "{}{}", offers.stderr, verify.stderr);
    let copy = format!("{}/db", tenant.namespace);
    assert!(Stage::lines(&offers)["db"].contains(&format!("the offer of {copy} can't be taken")));
    assert!(Stage::lines(&verify)["db"].contains(&format!("only {copy} is sealed like this")));

    stage.apply("db", &rotated);
    stage.say("db", &[("Ready", "True", "Unsealed")], None);
    let [offers, verify] = both("--timeout=5m");
    assert_eq!((offers.code, verify.code), (0, 0), "{}{}", offers.stderr, verify.stderr);
}

/// The threat: whoever configures the controller takes the recovery recipient out, and the rotation takes it out of Git.
#[test]
fn a_recovery_recipient_that_the_repository_pins_is_never_rotated_away() {
    let stage = Stage::new("dropped");
    let recovery = Identity::generate();
    let pins = String::from_utf8(stage.sandbox.read("new.pub")).unwrap();
    stage.sandbox.write("new.pub", format!("{pins}# name: recovery\n{}\n", recovery.recipient()));
    let spec = stage.sealed("db");
    stage.write("db", &spec);
    stage.apply("db", &spec);
    let offer = stage.offer("db", &spec, std::slice::from_ref(&stage.new));
    stage.say("db", &[("Ready", "True", "Unsealed"), ("RewrapOffered", "True", "Offered")], Some(&offer));
    let reader = stage.user(true);
    let before = stage.sandbox.files();
    let run = stage.rotate(&reader, &["--from-cluster"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lacking = format!("isn't sealed to pinned recipients: {} (recovery)", recovery.fingerprint().short());
    assert!(Stage::lines(&run)["db"].contains(&lacking), "{:?}", Stage::lines(&run));
    assert!(stage.sandbox.files() == before, "it wrote");
    // Nor does the check that comes before the old key goes pass over it.
    let rotated = SealedSecretSpec { envelopes: vec![offer.envelope], ..spec };
    stage.write("db", &rotated);
    let run = stage.rotate(&reader, &["--verify", "--timeout=10m"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let said = format!("isn't rotated: it isn't sealed to {} (recovery)", recovery.fingerprint().short());
    assert!(Stage::lines(&run)["db"].contains(&said), "{:?}", Stage::lines(&run));
}
