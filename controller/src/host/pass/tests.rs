//! Whole passes over checkouts: what is written, what is pruned, and above all what isn't.
//!
//! Not the loop. Invariant: each test has directories of its own.

use std::fs;
use std::os::unix::fs::symlink;

use seal_crds::Scope;
use seal_crds::keys::Identity;

use super::*;
use crate::host::fault::injected::{Fault, clear, plan};
use crate::host::site::{Site, count, pass, place};

#[tokio::test]
async fn sealed_secrets_become_files_and_a_restart_opens_and_writes_nothing() {
    let site = Site::new();
    for n in 0..20 {
        site.commit(&format!("prod/db-{n}"), &format!("value {n}"));
    }
    let outcome = pass(&mut site.agent(&[])).await;
    assert!(outcome.is_complete() && outcome.objects == 20, "{outcome:?}");
    assert_eq!(site.item("prod/db-7/password").as_deref(), Some("value 7"));
    assert_eq!(site.condition("prod/db-7").unwrap().0, "True");
    let before = site.fingerprint();
    let mut again = site.agent(&[]);
    assert!(pass(&mut again).await.is_complete());
    assert_eq!((count(&again, "unseals"), count(&again, "secret_writes")), (0, 0));
    assert_eq!(site.fingerprint(), before);
}

#[tokio::test]
async fn all_scopes_work_and_cluster_wide_only_where_the_flag_allows_it() {
    let site = Site::new();
    site.commit_text("a.yaml", &site.sealed("prod/a", Scope::Strict, &[("x", "1")]));
    site.commit_text("b.yaml", &site.sealed("prod/b", Scope::NamespaceWide, &[("x", "2")]));
    site.commit_text("c.yaml", &site.sealed("prod/c", Scope::ClusterWide, &[("x", "3")]));
    let outcome = pass(&mut site.agent(&[])).await;
    assert_eq!((outcome.objects, outcome.ready), (3, 2));
    assert_eq!(site.condition("prod/c").unwrap().1, "ScopeRefused");
    let mut wide = site.agent(&["--allowed-scopes=strict,namespace-wide,cluster-wide"]);
    assert!(pass(&mut wide).await.is_complete());
    assert_eq!(site.item("prod/c/x").as_deref(), Some("3"));
}

#[tokio::test]
async fn an_object_moved_elsewhere_is_stalled_and_names_both_places() {
    let site = Site::new();
    let moved = site.sealed("prod/db", Scope::Strict, &[("password", "x")]).replace("prod", "staging");
    site.commit_text("a.yaml", &moved);
    let mut agent = site.agent(&[]);
    assert!(!pass(&mut agent).await.is_complete());
    let (ready, reason, message) = site.condition("staging/db").unwrap();
    assert_eq!((ready.as_str(), reason.as_str()), ("False/Stalled", "WrongPlace"));
    assert!(message.contains("prod/db") && message.contains("staging/db"), "{message}");
    assert!(!site.path("secrets/staging").exists());
    // Nothing that could help has changed, so it isn't tried again.
    pass(&mut agent).await;
    assert_eq!(count(&agent, "unseals"), 1);
}

/// As in a cluster: the foreign item stays, and the status names it, so nobody has to look for it.
#[tokio::test]
async fn what_somebody_put_beside_the_items_is_named_until_it_goes() {
    let site = Site::new();
    site.commit("prod/db", "x");
    let mut agent = site.agent(&[]);
    pass(&mut agent).await;
    fs::write(site.path("secrets/prod/db/theirs"), "1").unwrap();
    pass(&mut agent).await;
    let (ready, reason, message) = site.condition("prod/db").unwrap();
    assert_eq!((ready.as_str(), reason.as_str()), ("True", "InSync"));
    assert!(message.ends_with("items that are not from it: theirs"), "{message}");
    fs::remove_file(site.path("secrets/prod/db/theirs")).unwrap();
    pass(&mut agent).await;
    assert_eq!(site.condition("prod/db").unwrap().2, "the Secret is what this SealedSecret says");
    assert_eq!(count(&agent, "unseals"), 1);
}

/// A buffer for what is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refusal_is_logged_once_however_often_it_is_looked_at() {
    let (site, log) = (Site::new(), Log::default());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let moved = site.sealed("prod/db", Scope::Strict, &[("password", "x")]).replace("prod", "staging");
    site.commit_text("a.yaml", &moved);
    for _ in 0..2 {
        // A new agent looks at everything again.
        pass(&mut site.agent(&[])).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("staging/db")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("refused"), "{warnings:#?}");
}

#[tokio::test]
async fn one_malformed_object_stops_no_other() {
    let site = Site::new();
    site.commit("prod/good", "x");
    let head = "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\n";
    site.commit_text(
        "a.yaml",
        &format!("{head}metadata: {{name: bad, namespace: prod}}\nspec: {{scope: 7}}\n"),
    );
    let other = site.sealed("prod/newer", Scope::Strict, &[("x", "1")]).replace("v1alpha1", "v9");
    site.commit_text("b.yaml", &other);
    let outcome = pass(&mut site.agent(&[])).await;
    assert_eq!((outcome.objects, outcome.ready), (3, 1));
    assert_eq!(site.condition("prod/bad").unwrap().1, "Malformed");
    assert_eq!(site.condition("prod/newer").unwrap().1, "UnknownVersion");
}

/// Both stand in one file: neither the foreign document nor the malformed object stops pruning, or another
/// object.
#[tokio::test]
async fn what_only_other_readers_understand_stops_no_pruning() {
    let site = Site::new();
    site.commit("prod/gone", "x");
    let good = site.sealed("prod/good", Scope::Strict, &[("password", "x")]);
    let mut bad = site.sealed("prod/bad", Scope::Strict, &[("password", "x")]);
    bad = bad.replacen("spec:", "on: x\nspec:", 1);
    let chart = "base: &base {on: .inf}\nservice: {<<: *base, max: 1e400}\n";
    site.commit_text("all.yaml", &format!("{chart}---\n{bad}---\n{good}"));
    let mut agent = site.agent(&["--prune-after=1ms"]);
    let outcome = pass(&mut agent).await;
    assert_eq!((outcome.objects, outcome.ready, outcome.problems), (3, 2, 0));
    let (ready, reason, message) = site.condition("prod/bad").unwrap();
    assert_eq!((ready.as_str(), reason.as_str()), ("False/Stalled", "Malformed"));
    assert!(message.starts_with("the unquoted key on is a boolean to kubectl"), "{message}");
    site.remove("prod-gone.yaml");
    for _ in 0..2 {
        pass(&mut agent).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(site.item("prod/gone/password").is_none() && site.item("prod/good/password").is_some());
}

#[tokio::test]
async fn one_place_in_two_files_is_refused_and_keeps_what_is_there() {
    let site = Site::new();
    site.commit("prod/db", "first");
    let mut agent = site.agent(&[]);
    pass(&mut agent).await;
    site.commit_text("copy.yaml", &site.sealed("prod/db", Scope::Strict, &[("password", "second")]));
    assert!(!pass(&mut agent).await.is_complete());
    let (ready, reason, message) = site.condition("prod/db").unwrap();
    assert_eq!((ready.as_str(), reason.as_str()), ("False/Stalled", "Ambiguous"));
    assert!(message.contains("copy.yaml") && message.contains("prod-db.yaml"), "{message}");
    assert_eq!(site.item("prod/db/password").as_deref(), Some("first"));
    site.remove("prod-db.yaml");
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("second"));
}

#[tokio::test]
async fn namespaces_off_the_list_are_refused_and_not_pruned() {
    let site = Site::new();
    site.commit("prod/db", "x");
    site.commit("staging/db", "x");
    pass(&mut site.agent(&[])).await;
    let outcome = pass(&mut site.agent(&["--allow-namespace=prod"])).await;
    assert_eq!((outcome.objects, outcome.ready), (2, 1));
    assert_eq!(site.condition("staging/db").unwrap().1, "NamespaceRefused");
    assert_eq!(site.item("staging/db/password").as_deref(), Some("x"));
}

#[tokio::test]
async fn a_removed_manifest_is_pruned_with_its_status_after_it_was_gone_for_a_while() {
    let site = Site::new();
    site.commit("prod/db", "x");
    site.commit("prod/cache", "x");
    let mut agent = site.agent(&["--prune-after=200ms"]);
    pass(&mut agent).await;
    site.remove("prod-db.yaml");
    assert!(pass(&mut agent).await.again.is_some());
    assert!(site.item("prod/db/password").is_some(), "gone from one reading is not gone");
    // A checkout that brings it back starts the time anew.
    site.commit("prod/db", "x");
    pass(&mut agent).await;
    site.remove("prod-db.yaml");
    tokio::time::sleep(Duration::from_millis(250)).await;
    pass(&mut agent).await;
    assert!(site.item("prod/db/password").is_some());
    tokio::time::sleep(Duration::from_millis(250)).await;
    pass(&mut agent).await;
    assert!(site.item("prod/db/password").is_none() && site.condition("prod/db").is_none());
    assert!(site.item("prod/cache/password").is_some());
}

#[tokio::test]
async fn what_the_checkout_can_not_tell_prunes_nothing() {
    type Harm = fn(&Site);
    let harms: [(&str, Harm); 10] = [
        ("emptied", |site| site.remove("prod-keep.yaml")),
        ("gone", |site| fs::rename(site.path("manifests"), site.path("elsewhere")).unwrap()),
        ("not YAML", |site| site.commit_text("bad.yaml", "kind: SealedSecret\n  x: [")),
        ("hostile name", |site| {
            let text =
                site.sealed("prod/x", Scope::Strict, &[("a", "b")]).replace("name: x", "name: ../../x");
            site.commit_text("bad.yaml", &text);
        }),
        ("mistyped group", |site| {
            let text = site.sealed("prod/db", Scope::Strict, &[("password", "x")]);
            site.commit_text("prod-db.yaml", &text.replace("sealing.dev/", "seeling.dev/"));
        }),
        ("mistyped kind", |site| {
            let text = site.sealed("prod/db", Scope::Strict, &[("password", "x")]);
            site.commit_text("prod-db.yaml", &text.replace("kind: SealedSecret", "kind: Sealedsecret"));
        }),
        ("a link instead of the manifest", |site| {
            fs::write(site.path("elsewhere"), site.sealed("prod/db", Scope::Strict, &[("a", "b")])).unwrap();
            symlink("../elsewhere", site.path("manifests/prod-db.yaml")).unwrap();
        }),
        ("a link instead of its directory", |site| {
            fs::create_dir(site.path("elsewhere")).unwrap();
            symlink("../elsewhere", site.path("manifests/apps")).unwrap();
        }),
        ("at work", |site| {
            fs::create_dir(site.path("manifests/.git")).unwrap();
            fs::write(site.path("manifests/.git/index.lock"), "").unwrap();
        }),
        ("replaced by a link", |site| {
            fs::rename(site.path("manifests"), site.path("elsewhere")).unwrap();
            symlink("nowhere", site.path("manifests")).unwrap();
        }),
    ];
    for (name, harm) in harms {
        let site = Site::new();
        site.commit("prod/db", "x");
        site.commit("prod/keep", "x");
        let mut agent = site.agent(&[]);
        assert!(pass(&mut agent).await.is_complete());
        site.remove("prod-db.yaml");
        harm(&site);
        for _ in 0..3 {
            let outcome = pass(&mut agent).await;
            assert!(outcome.problems > 0, "{name}: {outcome:?}");
        }
        if site.path("manifests").is_dir() {
            drop(agent);
            let outcome = pass(&mut site.agent(&[])).await;
            assert!(outcome.problems > 0, "{name} after a restart: {outcome:?}");
        }
        assert_eq!(site.item("prod/db/password").as_deref(), Some("x"), "{name}");
        assert_eq!(site.item("prod/keep/password").as_deref(), Some("x"), "{name}");
    }
}

#[tokio::test]
async fn an_emptied_checkout_prunes_where_the_flag_says_so() {
    let site = Site::new();
    site.commit("prod/db", "x");
    pass(&mut site.agent(&[])).await;
    site.remove("prod-db.yaml");
    pass(&mut site.agent(&["--allow-empty"])).await;
    assert!(site.item("prod/db/password").is_none());
}

#[tokio::test]
async fn what_is_gone_from_the_checkout_is_forgotten() {
    let site = Site::new();
    site.commit("prod/keep", "x");
    let mut agent = site.agent(&["--prune-after=1ms"]);
    let remembered = |agent: &Agent| (agent.waiting.len(), agent.missing.len(), agent.said.len());
    for round in 0..3 {
        let (good, bad) = (format!("prod/good-{round}"), format!("prod/bad-{round}"));
        site.commit(&good, "x");
        let moved = site.sealed("prod/db", Scope::Strict, &[("password", "x")]);
        site.commit_text("bad.yaml", &moved.replace("name: db", &format!("name: bad-{round}")));
        site.commit_text("worse.yaml", "kind: SealedSecret\n  x: [");
        pass(&mut agent).await;
        assert_eq!(remembered(&agent), (1, 0, 1), "{bad} waits, and a file is no YAML");
        for file in [format!("prod-good-{round}.yaml"), "bad.yaml".to_owned(), "worse.yaml".to_owned()] {
            site.remove(&file);
        }
        pass(&mut agent).await;
        assert_eq!(remembered(&agent), (0, 1, 0), "{good} is gone, and has yet to be pruned");
        std::thread::sleep(Duration::from_millis(2));
        pass(&mut agent).await;
        assert_eq!(remembered(&agent), (0, 0, 0), "{good} is pruned");
    }
}

#[tokio::test]
async fn a_foreign_secret_is_reported_left_alone_and_replaced_once_it_is_gone() {
    let site = Site::new();
    site.commit("prod/db", "ours");
    fs::create_dir_all(site.path("secrets/prod/db")).unwrap();
    fs::write(site.path("secrets/prod/db/password"), "theirs").unwrap();
    let mut agent = site.agent(&[]);
    assert!(!pass(&mut agent).await.is_complete());
    let (ready, reason, _) = site.condition("prod/db").unwrap();
    assert_eq!((ready.as_str(), reason.as_str()), ("False/Stalled", "ForeignSecret"));
    assert_eq!(site.item("prod/db/password").as_deref(), Some("theirs"));
    fs::remove_dir_all(site.path("secrets/prod/db")).unwrap();
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("ours"));
}

#[tokio::test]
async fn drift_is_healed_and_counted() {
    let site = Site::new();
    site.commit("prod/db", "right");
    let mut agent = site.agent(&[]);
    pass(&mut agent).await;
    fs::write(site.path("secrets/prod/db/password"), "wrong").unwrap();
    pass(&mut agent).await;
    assert_eq!(site.item("prod/db/password").as_deref(), Some("right"));
    fs::remove_dir_all(site.path("secrets/prod")).unwrap();
    pass(&mut agent).await;
    assert_eq!(site.item("prod/db/password").as_deref(), Some("right"));
    assert_eq!(count(&agent, "heals"), 2);
}

#[tokio::test]
async fn a_new_identity_opens_what_failed_without_a_restart() {
    let site = Site::new();
    site.commit("prod/db", "x");
    site.write_identity(&Identity::generate());
    let args = site.args(&[]);
    let mut identities = crate::host::identities::IdentityFiles::open(args.identities.clone()).unwrap();
    let mut agent = crate::host::run::start(&args, &site.path("secrets"), &identities).unwrap();
    assert!(!pass(&mut agent).await.is_complete());
    assert_eq!(site.condition("prod/db").unwrap().1, "NoMatchingKey");
    site.write_identity(&site.identity);
    identities.refresh();
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("x"));
}

#[tokio::test]
async fn a_lost_state_file_is_made_again_from_the_checkout_and_prunes_nothing() {
    let site = Site::new();
    site.commit("prod/db", "x");
    site.commit("prod/old", "x");
    pass(&mut site.agent(&[])).await;
    let before = fs::read_link(site.path("secrets/prod/db/..data")).unwrap();
    fs::write(site.path("secrets/..seal-state.json"), "{").unwrap();
    site.remove("prod-old.yaml");
    let mut agent = site.agent(&[]);
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(
        site.item("prod/old/password").as_deref(),
        Some("x"),
        "nobody knows any more that it was ours"
    );
    assert_eq!(agent.context.store.directory.ours(), [place("prod/db")]);
    assert_eq!(fs::read_link(site.path("secrets/prod/db/..data")).unwrap(), before, "nothing was rewritten");
}

#[tokio::test]
async fn a_full_disk_is_transient_keeps_the_old_and_passes() {
    let site = Site::new();
    site.commit("prod/db", "old");
    let mut agent = site.agent(&[]);
    pass(&mut agent).await;
    site.commit("prod/db", "new");
    plan(0, Fault::Fails(rustix::io::Errno::NOSPC));
    let outcome = pass(&mut agent).await;
    clear();
    assert!(!outcome.is_complete() && outcome.again.is_some(), "{outcome:?}");
    let (ready, reason, _) = site.condition("prod/db").unwrap();
    assert_eq!((ready.as_str(), reason.as_str()), ("False/Reconciling", "NoSpace"));
    assert_eq!(site.item("prod/db/password").as_deref(), Some("old"));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("new"));
}

#[tokio::test]
async fn what_is_passed_by_on_purpose_is_noted_and_stops_nothing() {
    let site = Site::new();
    site.commit("prod/db", "x");
    let theirs = site.sealed("prod/db", Scope::Strict, &[("a", "b")]);
    site.commit_text("theirs.yaml", &theirs.replace("sealing.dev/", "bitnami.com/"));
    site.commit_text("notes.txt", "");
    symlink("notes.txt", site.path("manifests/README")).unwrap();
    let mut agent = site.agent(&[]);
    let outcome = pass(&mut agent).await;
    assert!(outcome.is_complete() && outcome.objects == 1, "{outcome:?}");
    let noted: Vec<_> = agent.noted.iter().cloned().collect();
    let [links, superseded] = &noted[..] else { panic!("{noted:?}") };
    assert_eq!(links, "1 links in the checkout are passed by; none is followed");
    assert!(superseded.contains("bitnami.com") && superseded.contains("theirs.yaml"), "{superseded}");
    site.commit("prod/keep", "x");
    pass(&mut agent).await;
    site.remove("prod-db.yaml");
    site.remove("theirs.yaml");
    pass(&mut agent).await;
    assert_eq!(site.item("prod/db/password"), None, "pruned all the same");
}

mod bitnami;
