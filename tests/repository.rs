//! Invariants of the repository itself, above all those about things that are deliberately absent.
//!
//! clippy and rustfmt hold the style. Invariant: each test here is a sentence of ARCHITECTURE.md or CONTRIBUTING.md,
//! and fails when that sentence stops being true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use seal_crds::Scope;
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is one folder below the root")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The dependencies of a crate of ours, without those of its tests: their names, and their features as `name/feature`.
fn dependencies(name: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == name).unwrap();
    let normal =
        package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
    normal
        .flat_map(|dependency| {
            let name = dependency["name"].as_str().unwrap();
            let features = dependency["features"].as_array().unwrap().iter();
            let features = features.map(move |feature| format!("{name}/{}", feature.as_str().unwrap()));
            std::iter::once(name.to_owned()).chain(features)
        })
        .collect()
}

fn files(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

#[test]
fn the_contract_has_no_client_no_runtime_and_no_clock() {
    let contract = dependencies("seal-crds");
    for absent in [
        "tokio",
        "futures",
        "jiff",
        "rustix",
        "notify",
        "kube/client",
        "kube/runtime",
        "seal",
        "seal-controller",
    ] {
        assert!(!contract.contains(absent), "seal-crds depends on {absent}");
    }
    assert!(contract.contains("kube/derive"), "the list above would not see features otherwise");
}

#[test]
fn the_keys_of_the_contract_know_no_format() {
    let mut sources = vec![root().join("crds/src/keys.rs"), root().join("crds/src/age_file.rs")];
    files(&root().join("crds/src/keys"), ".rs", &mut sources);
    assert!(sources.len() > 10, "the keys are elsewhere");
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        for format in ["crate::native", "crate::bitnami", "crate::format"] {
            let knows =
                text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(format));
            assert!(!knows, "{} knows {format}", path.display());
        }
    }
}

#[test]
fn what_go_would_print_needs_no_kubernetes_no_runtime_no_clock_and_no_yaml() {
    let allowed = ["aws-lc-rs", "base64", "memchr", "seal-foreign", "seal-random", "thiserror", "zeroize"];
    let crates = dependencies("seal-go").into_iter().filter(|name| !name.contains('/'));
    let unknown: Vec<_> = crates.filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "seal-go depends on {unknown:?}");
    assert!(dependencies("seal-foreign").is_empty());
}

/// A caller says why it wants a text of Go's, so the crate itself speaks of Go alone: in code, comments and messages.
#[test]
fn what_go_would_print_speaks_of_go_alone() {
    // The one exception: users read this reason, so it keeps its words.
    const KEPT: &str = "\"Secrets are hardly made with it\"";
    let mut sources = Vec::new();
    files(&root().join("crds/go/src"), ".rs", &mut sources);
    assert!(sources.len() > 40, "{sources:?}");
    for path in sources {
        let text = fs::read_to_string(&path).unwrap().replace(KEPT, "");
        for absent in ["Secret", "Kubernetes", "kube", "controller", "the peer"] {
            assert!(!text.contains(absent), "{}: {absent}", path.display());
        }
    }
}

#[test]
fn the_contract_has_no_reader_of_yaml() {
    // The crates under it have none either. So the contract needs no dialect of YAML and no bounds on it.
    let under = |package: &str| {
        let edges = ["--edges=normal", "--prefix=none", "--offline", "--locked"];
        let output = Command::new(env!("CARGO"))
            .args(["tree", "-p", package])
            .args(edges)
            .current_dir(root())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let is_yaml = |line: &&str| line.contains("yaml") || line.starts_with("granit-parser ");
    let contract = under("seal-crds");
    assert_eq!(contract.lines().find(is_yaml), None);
    assert!(contract.lines().count() > 50 && under("seal-documents").lines().any(|line| is_yaml(&line)));
}

#[test]
fn documents_are_read_without_a_client_a_runtime_or_a_clock() {
    let documents = dependencies("seal-documents");
    for absent in ["tokio", "futures", "jiff", "rustix", "notify", "kube", "seal", "seal-controller"] {
        assert!(!documents.contains(absent), "seal-documents depends on {absent}");
    }
    assert!(!dependencies("seal-crds").contains("seal-documents"));
}

#[test]
fn the_contract_and_what_is_below_it_do_no_input_or_output() {
    let mut sources = Vec::new();
    for dir in ["crds/src", "crds/documents/src", "crds/go/src", "crds/foreign/src"] {
        files(&root().join(dir), ".rs", &mut sources);
    }
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = is_test_file(&path);
        for absent in ["std::fs", "std::net", "std::env", "std::process", "SystemTime", "Instant::now"] {
            assert!(is_test || !code.contains(absent), "{}: {absent}", path.display());
        }
    }
}

#[test]
fn what_is_decided_about_keys_has_no_clock_and_makes_no_request() {
    let mut sources = ["lifecycle", "status", "deletion"]
        .map(|name| root().join(format!("controller/src/keys/{name}.rs")))
        .to_vec();
    files(&root().join("controller/src/keys/lifecycle"), ".rs", &mut sources);
    assert!(sources.len() > 3, "{sources:?}");
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for absent in ["Timestamp::now", "SystemTime", "async ", ".await", "kube::", "generate()"] {
            assert!(is_test_file(&path) || !code.contains(absent), "{}: {absent}", path.display());
        }
    }
}

/// The life cycle judges, the words of a status come of a verdict, and a deletion is said in a status.
#[test]
fn the_life_cycle_of_keys_knows_neither_their_statuses_nor_their_deletions() {
    for (path, text) in room("keys/lifecycle") {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for absent in ["super::status", "keys::status", "super::deletion", "keys::deletion"] {
            let knows = code.iter().any(|line| line.contains(absent));
            assert!(is_test_file(&path) || !knows, "{}: {absent}", path.display());
        }
    }
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests"))
}

#[test]
fn the_two_programs_do_not_depend_on_each_other() {
    assert!(!dependencies("seal").contains("seal-controller"));
    assert!(!dependencies("seal-controller").contains("seal"));
}

/// The files of a room of the controller, with their text.
fn room(name: &str) -> Vec<(PathBuf, String)> {
    let mut sources = vec![root().join(format!("controller/src/{name}.rs"))];
    files(&root().join(format!("controller/src/{name}")), ".rs", &mut sources);
    assert!(sources.len() > 3, "{name} is elsewhere");
    sources.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_host_and_the_http_endpoints_do_not_know_each_other() {
    for (name, other) in [("host", "compat_http"), ("compat_http", "host")] {
        for (path, text) in room(name) {
            let knows = text.contains(&format!("crate::{other}")) || text.contains(&format!("{other}::"));
            assert!(!knows, "{} knows {other}", path.display());
        }
    }
}

#[test]
fn the_cluster_knows_neither_the_keys_nor_the_http_endpoints_and_the_keys_send_its_requests_only() {
    for (path, text) in room("cluster") {
        for other in ["crate::keys", "crate::{", "crate::compat_http", "compat_http::", "crate::run"] {
            let knows = text.lines().any(|line| !line.starts_with("//!") && line.contains(other));
            assert!(!knows, "{} knows {other}", path.display());
        }
    }
    // The keys take the cluster's clients, metadata, Events and reports, and nothing of what becomes of SealedSecrets.
    let allowed = ["api", "fields", "metadata", "recorder", "report", "watching"];
    let mut taken = BTreeSet::new();
    for (path, text) in room("keys") {
        for part in text.split("crate::cluster").skip(1) {
            let part = part.strip_prefix("::").unwrap_or_default();
            let module =
                part.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            assert!(allowed.contains(&module), "{} takes cluster::{module}", path.display());
            taken.insert(module.to_owned());
        }
    }
    assert!(taken.iter().eq(&allowed), "{taken:?}");
}

#[test]
fn the_way_to_a_cluster_knows_neither_the_programs_nor_what_they_send() {
    let way = dependencies("seal-kubeconfig");
    for absent in ["seal", "seal-controller", "seal-crds"] {
        assert!(!way.contains(absent), "seal-kubeconfig depends on {absent}");
    }
    // The programs have no other way: a client of kube's own loader panics for some kubeconfigs.
    let mut sources = Vec::new();
    files(&root().join("cli/src"), ".rs", &mut sources);
    files(&root().join("controller/src"), ".rs", &mut sources);
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        for absent in [
            "Kubeconfig::read",
            "Config::infer",
            "Config::incluster",
            "try_default",
            "from_custom_kubeconfig",
        ] {
            assert!(!text.contains(absent), "{}: {absent}", path.display());
        }
    }
}

#[test]
fn what_holds_plaintext_or_private_keys_cannot_be_printed_copied_or_serialized() {
    /// Compiles only if the type lacks the traits: with one of them, two impls would fit, and the compiler could
    /// choose neither.
    macro_rules! lacks {
        ($type:ty: $($trait:path),+) => {$(
            const _: fn() = || {
                trait Ambiguous<A> { fn it() {} }
                impl<T: ?Sized> Ambiguous<()> for T {}
                struct Has;
                impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
                let _ = <$type as Ambiguous<_>>::it;
            };
        )+};
    }
    lacks!(seal_crds::Plaintext: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::plaintext::WipedString: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::keys::stored::KeySecret: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::keys::stored::StoredKey: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::Examined: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::Unsealed: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::bitnami::Opened: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_go::Buffer: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_go::template::Rendered: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_go::template::Values: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::native::Item: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::keys::Identity: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::keys::Keyring: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::keys::RsaPrivateKey: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
    lacks!(seal_crds::keys::RsaSealingKey: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize);
}

#[test]
fn one_crypto_provider_and_no_openssl_are_in_the_tree() {
    // The lock file would say too much: it also lists crates that only other platforms and features need.
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--edges=normal,build", "--prefix=none", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for absent in ["ring", "openssl", "openssl-sys", "native-tls"] {
        assert!(!crates.contains(absent), "{absent} is in the tree");
    }
    assert!(crates.contains("aws-lc-rs"));
}

/// aws-lc has another source of randomness, timing jitter, which costs every process 30 ms. `.cargo/config.toml`
/// leaves it out.
#[test]
fn the_programs_take_their_randomness_from_the_operating_system() {
    for program in [env!("CARGO_BIN_EXE_test-seal"), env!("CARGO_BIN_EXE_test-seal-controller")] {
        let bytes = fs::read(program).unwrap();
        let has = |symbol: &str| bytes.windows(symbol.len()).any(|window| window == symbol.as_bytes());
        assert!(has("RAND_bytes"), "{program} has no symbols, so nothing can be told from those it lacks");
        assert!(!has("jent_"), "{program} was built without AWS_LC_SYS_NO_JITTER_ENTROPY=1");
    }
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    let mut sources = Vec::new();
    for dir in ["crds", "cli", "controller", "tests"] {
        files(&root().join(dir), ".rs", &mut sources);
    }
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} has no header", path.display());
    }
}

#[test]
fn the_deployed_definitions_are_the_generated_ones() {
    let names = |dir: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".yaml")).collect()
    };
    let generated = names("crds");
    assert_eq!(generated.len(), seal_crds::resources::definitions().len());
    let kustomization: Value =
        serde_yaml::from_str(&read("controller/deploy/crds/kustomization.yaml")).unwrap();
    let deployed: BTreeSet<String> = serde_json::from_value(kustomization["resources"].clone()).unwrap();
    assert_eq!(deployed, generated);
    for name in generated {
        let (generated, deployed) =
            (read(&format!("crds/{name}")), read(&format!("controller/deploy/crds/{name}")));
        assert!(generated == deployed, "{name} differs: run `make generate`");
    }
}

/// The table of scopes says what each scope binds. Code that compares with one scope would also decide for a scope
/// that is added later, and no test would notice.
#[test]
fn nobody_asks_which_scope_it_is_but_what_it_binds() {
    let mut sources = Vec::new();
    for dir in ["crds/src", "cli/src", "controller/src"] {
        files(&root().join(dir), ".rs", &mut sources);
    }
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = is_test_file(&path);
        for scope in Scope::ALL {
            for comparison in ["== ", "!= "] {
                let asks = format!("{comparison}Scope::{scope:?}");
                assert!(is_test || !code.contains(&asks), "{}: {asks}", path.display());
            }
        }
    }
}

#[test]
fn readme_has_a_row_for_every_scope() {
    let text = read("README.md");
    let table = text.split("### Scopes").nth(1).unwrap().split("\n#").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let found: Vec<&str> = rows.filter(|row| *row != "--scope").collect();
    assert_eq!(found, Scope::ALL.map(Scope::as_str));
}

#[test]
fn the_controller_may_not_delete_and_users_may_not_write_keys_or_status() {
    let documents = |path: &str| -> Vec<Value> {
        let text = read(path);
        let documents = serde_yaml::Deserializer::from_str(&text);
        documents.map(|document| serde::Deserialize::deserialize(document).unwrap()).collect()
    };
    let rules = |path: &str| -> Vec<Value> {
        documents(path)
            .iter()
            .flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default())
            .collect()
    };
    let has = |rule: &Value, field: &str, value: &str| {
        rule[field].as_array().unwrap().iter().any(|found| found == value)
    };
    for rule in rules("controller/deploy/rbac.yaml") {
        for verb in ["delete", "deletecollection", "update", "*"] {
            // The Lease and the statuses are all that it replaces as a whole.
            let of_status = |resource: &Value| resource.as_str().is_some_and(|it| it.ends_with("/status"));
            let is_replaced = rule["resources"] == json!(["leases"])
                || rule["resources"].as_array().unwrap().iter().all(of_status);
            assert!((verb == "update" && is_replaced) || !has(&rule, "verbs", verb), "{rule}");
        }
    }
    for rule in rules("controller/deploy/users.yaml") {
        assert!(!has(&rule, "resources", "sealedsecrets/status"), "{rule}");
        let writes = ["create", "update", "patch", "delete"].iter().any(|verb| has(&rule, "verbs", verb));
        assert!(!(writes && has(&rule, "resources", "sealingkeys")), "{rule}");
    }
}

#[test]
fn ci_runs_what_readme_names() {
    let ci = read(".ci/run");
    let run: Vec<_> = ci
        .lines()
        .filter_map(|line| line.strip_prefix("exec ").unwrap_or(line).strip_prefix("make "))
        .collect();
    assert_eq!(run, ["test", "e2e"]);
    let (readme, makefile) = (read("README.md"), read("Makefile"));
    for target in ["demo", "test", "e2e", "image", "build"] {
        assert!(readme.contains(&format!("make {target}")), "README doesn't name make {target}");
        assert!(makefile.contains(&format!("\n{target}:")), "there is no make {target}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "cli/git-example/README.md",
        "keys-example/README.md",
        "keys-example/ROTATION.md",
    ] {
        let text = read(document);
        let here = root().join(document).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_external = target.is_empty() || target.contains("://");
            assert!(is_external || here.join(target).exists(), "{document}: {target}");
        }
    }
}

/// The last cell of each row, of all tables of a document whose header says `held by`.
fn holders(document: &str) -> Vec<String> {
    let text = read(document);
    let rows = text.lines().scan(false, |is_held, line| {
        let Some(row) = line.strip_prefix("| ") else {
            *is_held = false;
            return Some(None);
        };
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        *is_held |= last == "held by";
        Some((*is_held && last != "held by" && last != "---").then(|| last.to_owned()))
    });
    rows.flatten().collect()
}

/// `true` if a file of tests, or a folder of such files, ends with this path, or if a test has this name.
fn is_a_test(name: &str, sources: &[(PathBuf, String)]) -> bool {
    sources.iter().any(|(path, text)| {
        let path = path.to_string_lossy();
        let is_there = path.ends_with(&format!("/{name}")) || path.ends_with(&format!("/{name}.rs"));
        let is_within = path.contains(&format!("/{name}/"));
        let has_tests = text.contains("#[test]") || text.contains("#[tokio::test");
        has_tests && (is_there || is_within || text.contains(&format!("fn {name}(")))
    })
}

#[test]
fn what_documents_claim_names_a_test_that_is_there() {
    let mut files_found = Vec::new();
    for dir in ["crds", "cli", "controller", "tests"] {
        files(&root().join(dir), ".rs", &mut files_found);
    }
    let sources: Vec<(PathBuf, String)> =
        files_found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    for document in ["ARCHITECTURE.md", "SECURITY.md"] {
        let cells = holders(document);
        assert!(cells.len() > 10, "{document}: only {} rows say who holds them", cells.len());
        for cell in cells {
            let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "{document}: {cell:?} names no test");
            for name in names {
                assert!(is_a_test(name, &sources), "{document}: there is no test {name}");
            }
        }
    }
    assert!(!is_a_test("no_such_test", &sources) && !is_a_test("cluster/no_such_file", &sources));
}

#[test]
fn files_that_documents_name_are_there() {
    let mut named = 0;
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = read(document);
        let spans = text.split('`').skip(1).step_by(2);
        let is_file = |span: &&str| {
            let is_path = span.contains('/') && !span.contains([' ', '*', '…', ':']);
            is_path && [".rs", ".md", ".txt", ".yaml", "/"].iter().any(|end| span.ends_with(end))
        };
        for span in spans.filter(is_file) {
            // The code map names rooms within the crate of its section.
            let rooms = [
                "",
                "crds/src",
                "crds/go/src",
                "crds/documents/src",
                "cli/src",
                "controller/src",
                "controller",
                "tests",
            ];
            let is_there = rooms.iter().any(|room| root().join(room).join(span).exists());
            assert!(is_there, "{document}: there is no {span}");
            named += 1;
        }
    }
    assert!(named > 30, "only {named} files are named");
}
