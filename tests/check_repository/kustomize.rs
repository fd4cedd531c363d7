//! `seal check` reads kustomizations, and the real kustomize builds them: random trees of bases,
//! overlays and components.
//!
//! Invariant: `transformed` is found exactly where some build gives an object another place than its scope allows, and
//! `stale-reference` exactly where some build leaves a Deployment with a name that no Secret of it has. A note, which says
//! that something isn't followed, is never taken for either.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use seal_random::Random;
use seal_tests::toolchain;
use serde_yaml::Value;

use super::{Fault, findings, seal};
use crate::sandbox::{Sandbox, run};

const TREES: usize = 25;

/// An object of a tree.
struct Sealed {
    path: String,
    name: String,
    namespace: Option<&'static str>,
    scope: &'static str,
}

/// A random tree of kustomizations.
struct Tree {
    sealed: Vec<Sealed>,
    /// Directories that no other one takes in.
    roots: BTreeSet<String>,
}

impl Tree {
    fn write(sandbox: &Sandbox, random: &mut Random) -> Self {
        let mut tree = Self { sealed: Vec::new(), roots: BTreeSet::new() };
        let mut open: Vec<String> = Vec::new();
        for index in 0..2 + random.below(3) {
            let directory = format!("base{index}");
            tree.write_base(sandbox, &directory, index, random);
            open.push(directory);
        }
        tree.roots.extend(open.iter().cloned());
        sandbox.write(
            "part/kustomization.yaml",
            format!(
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ngeneratorOptions: {{}}\n{}",
                fields(random)
            ),
        );
        for index in 0..2 + random.below(4) {
            let directory = format!("overlay{index}");
            let first = random.below(open.len());
            let mut taken = vec![open[first].clone()];
            // Two bases in one overlay have no object in common, unless they are overlays of one base.
            let second = format!("base{}", random.below(2));
            if open[first].starts_with("base") && second != open[first] {
                taken.push(second);
            }
            let resources: Vec<String> = taken.iter().map(|path| format!("../{path}")).collect();
            let component = if random.below(4) == 0 { "components: [../part]\n" } else { "" };
            let text = format!("resources: [{}]\n{}{component}", resources.join(", "), fields(random));
            sandbox.write(format!("{directory}/kustomization.yaml"), text);
            for path in &taken {
                tree.roots.remove(path);
            }
            tree.roots.insert(directory.clone());
            open.push(directory);
        }
        tree
    }

    fn write_base(&mut self, sandbox: &Sandbox, directory: &str, index: usize, random: &mut Random) {
        let name = format!("s{index}");
        let namespace = [None, Some("blue"), Some("green")][random.below(3)];
        let scope = ["strict", "strict", "namespace-wide", "cluster-wide"][random.below(4)];
        let line = namespace.map(|namespace| format!("\n  namespace: {namespace}")).unwrap_or_default();
        let sealed = format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}{line}\n  annotations: {{of: \
             {name}}}\nspec:\n  scope: {scope}\n  encryptedData: {{a: b}}\n"
        );
        sandbox.write(format!("{directory}/sealed.yaml"), sealed);
        let app = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app{index}{line}\n  annotations: {{of: {name}}}\nspec:\n  \
             template:\n    spec:\n      containers: [{{name: app, envFrom: [{{secretRef: {{name: {name}}}}}]}}]\n"
        );
        sandbox.write(format!("{directory}/app.yaml"), app);
        let text = format!("resources: [sealed.yaml, app.yaml]\n{}", fields(random));
        sandbox.write(format!("{directory}/kustomization.yaml"), text);
        self.sealed.push(Sealed { path: format!("{directory}/sealed.yaml"), name, namespace, scope });
    }
}

/// Some fields that change places, and some that don't.
fn fields(random: &mut Random) -> String {
    let mut text = String::new();
    if random.below(3) == 0 {
        text += &format!("namespace: {}\n", ["blue", "green", "red"][random.below(3)]);
    }
    if random.below(4) == 0 {
        text += &format!("namePrefix: {}-\n", ["a", "b"][random.below(2)]);
    }
    if random.below(5) == 0 {
        text += "nameSuffix: -v2\n";
    }
    match random.below(8) {
        0 => text += "labels: [{pairs: {team: x}}]\n",
        1 => {
            text += "patches: [{target: {kind: Deployment}, patch: '[{\"op\": \"add\", \"path\": \
                     \"/metadata/labels\", \"value\": {\"x\": \"y\"}}]'}]\n"
        }
        2 => {
            text += "transformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: {name: p}\n  prefix: \
                     t-\n  fieldSpecs: [{path: metadata/name}]\n";
        }
        3 => text += "images: [{name: app, newTag: v2}]\n",
        _ => {}
    }
    text
}

/// An object as kustomize made it.
struct Built {
    kind: String,
    of: String,
    name: String,
    namespace: Option<String>,
    reference: Option<String>,
}

/// The objects that the real kustomize makes of a directory; `None` if it refuses.
fn build(sandbox: &Sandbox, directory: &str) -> Option<Vec<Built>> {
    let mut command = Command::new(toolchain::bin("kubectl"));
    sandbox.confine(&mut command);
    let run = run(command.args(["kustomize", directory]), b"");
    if run.code != 0 {
        return None;
    }
    let documents = std::str::from_utf8(&run.stdout).unwrap().split("\n---\n");
    let built = documents.map(|text| {
        let value: Value = serde_yaml::from_str(text).unwrap();
        let text = |path: &[&str]| {
            let found = path.iter().try_fold(&value, |value, key| value.get(key))?;
            found.as_str().map(str::to_owned)
        };
        let container = value["spec"]["template"]["spec"]["containers"].get(0);
        let reference = container.and_then(|container| container["envFrom"][0]["secretRef"]["name"].as_str());
        Built {
            kind: text(&["kind"]).unwrap(),
            of: text(&["metadata", "annotations", "of"]).unwrap(),
            name: text(&["metadata", "name"]).unwrap(),
            namespace: text(&["metadata", "namespace"]),
            reference: reference.map(str::to_owned),
        }
    });
    Some(built.collect())
}

/// The findings of a person who looks at all builds.
fn expected(tree: &Tree, builds: &BTreeMap<String, Vec<Built>>) -> BTreeSet<Fault> {
    let mut faults = BTreeSet::new();
    for sealed in &tree.sealed {
        let built = || {
            builds.values().flatten().filter(|built| built.of == sealed.name && built.kind == "SealedSecret")
        };
        let is_renamed = sealed.scope == "strict" && built().any(|built| built.name != sealed.name);
        let binds_namespace = sealed.scope != "cluster-wide";
        let namespaces: BTreeSet<&str> = sealed
            .namespace
            .into_iter()
            .chain(built().filter_map(|built| built.namespace.as_deref()))
            .collect();
        if is_renamed || (binds_namespace && namespaces.len() > 1) {
            faults.insert(Fault::new("transformed", &sealed.path));
        }
        for objects in builds.values() {
            let names: BTreeSet<&str> = objects
                .iter()
                .filter(|built| built.kind == "SealedSecret")
                .map(|built| built.name.as_str())
                .collect();
            let stale = objects
                .iter()
                .filter(|built| built.of == sealed.name)
                .filter_map(|built| built.reference.as_deref());
            if stale.into_iter().any(|reference| !names.contains(reference)) {
                faults.insert(Fault::new("stale-reference", &sealed.path.replace("sealed.yaml", "app.yaml")));
            }
        }
    }
    faults
}

#[test]
fn places_change_exactly_where_the_real_kustomize_changes_them() {
    let (mut compared, mut found_some) = (0, 0);
    for seed in 0..TREES {
        let sandbox = Sandbox::new();
        let mut random = Random(u64::try_from(seed).unwrap() + 77);
        let tree = Tree::write(&sandbox, &mut random);
        let builds: Option<BTreeMap<String, Vec<Built>>> =
            tree.roots.iter().map(|root| Some((root.clone(), build(&sandbox, root)?))).collect();
        // kustomize refuses a tree in which two objects become one.
        let Some(builds) = builds else { continue };
        compared += 1;
        let run = seal(&sandbox, &["check"]);
        let ours: BTreeSet<Fault> = findings(&run)
            .into_iter()
            .filter(|fault| ["transformed", "stale-reference"].contains(&fault.rule.as_str()))
            .collect();
        let expected = expected(&tree, &builds);
        found_some += usize::from(!expected.is_empty());
        let files = || sandbox.files().into_iter().filter(|(path, _)| path.ends_with("kustomization.yaml"));
        let texts =
            || files().map(|(path, text)| format!("{}\n{}", path.display(), String::from_utf8_lossy(&text)));
        assert_eq!(
            ours,
            expected,
            "seed {seed}\n{}\n{}",
            texts().collect::<String>(),
            String::from_utf8_lossy(&run.stdout)
        );
    }
    assert!(compared > TREES / 2 && found_some > 5 && found_some < compared, "{compared} {found_some}");
}
