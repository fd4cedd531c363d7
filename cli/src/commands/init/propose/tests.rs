//! Repositories of several shapes, and the rules that are proposed for them.

use seal_crds::keys::Identity;

use super::*;

fn known(name: &str, is_recovery: bool) -> Known {
    let key = Identity::generate().recipient().fingerprint();
    Known { name: name.to_owned(), keys: [key].into(), is_recovery }
}

fn seen(path: &str, namespace: Option<&str>, to: Option<&Known>) -> Seen {
    Seen {
        path: path.to_owned(),
        namespace: namespace.map(str::to_owned),
        keys: to.map(|known| known.keys.clone()).unwrap_or_default(),
        scope: to.map(|_| Scope::Strict),
    }
}

fn told(seen: &[Seen], known: &[Known]) -> Vec<String> {
    propose(seen, &[], known)
        .into_iter()
        .map(|rule| format!("{} to {}", rule.path, rule.to.join(" ")))
        .collect()
}

#[test]
fn an_empty_repository_has_one_rule_for_everything() {
    assert_eq!(told(&[], &[known("prod", false), known("recovery", true)]), ["** to prod recovery"]);
}

#[test]
fn directories_that_are_named_after_namespaces_become_one_rule_for_each_cluster() {
    let (prod, staging, recovery) = (known("prod", false), known("staging", false), known("recovery", true));
    let mut objects = Vec::new();
    for namespace in ["shop", "pay", "web"] {
        objects.push(seen(&format!("clusters/prod/{namespace}/a/db.yaml"), Some(namespace), Some(&prod)));
        objects.push(seen(&format!("clusters/staging/{namespace}/db.yaml"), Some(namespace), Some(&staging)));
    }
    assert_eq!(
        told(&objects, &[prod, staging, recovery]),
        [
            "clusters/prod/{namespace}/** to prod recovery",
            "clusters/staging/{namespace}/** to staging recovery",
            "** to ",
        ]
    );
}

#[test]
fn directories_that_differ_in_one_name_become_one_rule_if_they_say_the_same() {
    let (prod, dev) = (known("prod", false), known("dev", false));
    let mut objects = Vec::new();
    for app in ["a", "b", "c", "d"] {
        objects.push(seen(&format!("apps/{app}/overlays/prod/db.yaml"), Some("x"), Some(&prod)));
        objects.push(seen(&format!("apps/{app}/overlays/dev/db.yaml"), Some("y"), Some(&dev)));
    }
    let known = [prod.clone(), dev.clone()];
    let expected = ["apps/*/overlays/dev/** to dev", "apps/*/overlays/prod/** to prod", "** to "];
    assert_eq!(told(&objects, &known), expected);
    // One that differs keeps its own rule, in front.
    objects.push(seen("apps/e/overlays/prod/db.yaml", None, Some(&dev)));
    assert_eq!(told(&objects, &known)[0], "apps/e/overlays/prod/** to dev");
    assert_eq!(told(&objects, &known).len(), 4);
}

#[test]
fn what_is_sealed_to_nobody_known_gets_everybody() {
    let (prod, other) = (known("prod", false), known("other", false));
    let objects = [
        seen("a/x.yaml", None, Some(&other)),
        seen("b/x.yaml", None, None),
        seen("x.yaml", Some("n"), Some(&prod)),
    ];
    assert_eq!(told(&objects, &[prod]), ["a/** to prod", "b/** to prod", "* to prod", "** to "]);
}

#[test]
fn the_scopes_that_are_there_are_allowed_and_the_firmest_is_the_default() {
    let prod = known("prod", false);
    let mut wide = seen("a/x.yaml", None, Some(&prod));
    wide.scope = Some(Scope::ClusterWide);
    let rules =
        propose(&[wide, seen("a/y.yaml", None, Some(&prod)), seen("b/y.yaml", None, None)], &[], &[prod]);
    assert_eq!(rules[0].scopes, [Scope::Strict, Scope::ClusterWide]);
    assert_eq!(rules[1].scopes, []);
}

fn told_with(seen: &[Seen], named: &[&str], known: &[Known]) -> Vec<String> {
    let named: Vec<String> = named.iter().map(|path| (*path).to_owned()).collect();
    let line = |rule: Proposed| format!("{} to {}", rule.path, rule.to.join(" "));
    propose(seen, &named, known).into_iter().map(line).collect()
}

#[test]
fn a_directory_that_is_named_after_a_recipient_is_sealed_to_it() {
    let known = [known("dev", false), known("staging", false), known("prod", false), known("cold", true)];
    let named = ["overlays/dev", "overlays/prod", "overlays/staging"];
    let by_name = [
        "overlays/dev/** to dev cold",
        "overlays/prod/** to prod cold",
        "overlays/staging/** to staging cold",
        "** to ",
    ];
    assert_eq!(told_with(&[], &named, &known), by_name);
    // With plaintext in them, deep or not, also of a namespace that has the same name.
    let objects = [
        seen("overlays/dev/db.yaml", Some("dev"), None),
        seen("overlays/dev/app/db.yaml", None, None),
        seen("overlays/staging/db.yaml", Some("staging"), None),
    ];
    assert_eq!(told_with(&objects, &named, &known), by_name);
    // What stands elsewhere is for all of them.
    let base = [seen("base/db.yaml", None, None)];
    let rules = told_with(&base, &named, &known);
    assert_eq!(rules.len(), 5);
    assert!(rules.contains(&"base/** to dev staging prod cold".to_owned()), "{rules:?}");
    // The name of a recovery recipient names no directory.
    assert_eq!(told_with(&[], &["cold"], &known), ["** to dev staging prod cold"]);
}

#[test]
fn a_single_recipient_gets_everything_whatever_it_is_called() {
    let known = [known("prod", false), known("cold", true)];
    assert_eq!(told_with(&[], &["prod"], &known), ["** to prod cold"]);
}

#[test]
fn the_names_of_namespaces_and_of_recipients_stand_in_one_path() {
    let known = [known("dev", false), known("prod", false)];
    let objects = [
        seen("clusters/prod/shop/db.yaml", Some("shop"), None),
        seen("clusters/prod/pay/db.yaml", Some("pay"), None),
        seen("clusters/prod/rendered/db.yaml", None, None),
    ];
    assert_eq!(
        told_with(&objects, &["clusters/dev", "clusters/prod"], &known),
        [
            "clusters/prod/rendered/** to prod",
            "clusters/prod/{namespace}/** to prod",
            "clusters/dev/** to dev",
            "** to ",
        ]
    );
}

#[test]
fn whom_objects_are_sealed_to_counts_more_than_a_name() {
    let (dev, prod) = (known("dev", false), known("prod", false));
    let objects = [
        seen("overlays/dev/a/db.yaml", None, Some(&dev)),
        seen("overlays/dev/b/db.yaml", None, Some(&prod)),
        seen("overlays/dev/c/db.yaml", None, None),
    ];
    let rules = ["overlays/dev/b/** to prod", "overlays/dev/** to dev", "** to "];
    assert_eq!(told_with(&objects, &[], &[dev, prod]), rules);
}

#[test]
fn many_applications_with_directories_of_the_same_names_share_rules() {
    let known = [known("dev", false), known("prod", false)];
    let named: Vec<String> = (0..40)
        .flat_map(|index| ["dev", "prod"].map(|name| format!("apps/app{index}/overlays/{name}")))
        .collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let rules = ["apps/*/overlays/dev/** to dev", "apps/*/overlays/prod/** to prod", "** to "];
    assert_eq!(told_with(&[], &named, &known), rules);
}

#[test]
fn however_many_rules_it_takes_no_object_gets_the_recipients_of_another() {
    let keys: Vec<Known> = (0..150).map(|index| known(&format!("k{index}"), false)).collect();
    let objects: Vec<Seen> =
        keys.iter().map(|key| seen(&format!("{}/x.yaml", key.name), None, Some(key))).collect();
    let rules = told(&objects, &keys);
    assert_eq!(rules.len(), 151);
    for key in &keys {
        assert!(rules.contains(&format!("{}/** to {}", key.name, key.name)), "{}", key.name);
    }
}

#[test]
fn many_rules_that_all_say_the_same_become_one() {
    // No two of them differ in one name alone.
    let objects: Vec<Seen> =
        (0..150).map(|index| seen(&format!("a{index}/b{index}/x.yaml"), None, None)).collect();
    let known = [known("dev", false), known("prod", false), known("cold", true)];
    assert_eq!(told(&objects, &known), ["** to dev prod cold"]);
    assert_eq!(told(&objects[..100], &known).len(), 101);
}

/// Whatever a repository looks like, every object has the rule of its own directory.
#[test]
fn every_object_has_a_rule_that_says_what_its_directory_asked_for() {
    let known = [known("a", false), known("b", false), known("r", true)];
    let names = ["a", "b", "ns", "x[y]", "ü", "{z}"];
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut rules_in_all = 0;
    for _ in 0..300 {
        let objects: Vec<Seen> = (0..40)
            .map(|_| {
                let depth = next(5);
                let directory: String =
                    (0..depth).map(|_| format!("{}/", names[next(names.len())])).collect();
                let to = known.get(next(4)).filter(|known| !known.is_recovery);
                seen(&format!("{directory}f.yaml"), [None, Some("ns")][next(2)], to)
            })
            .collect();
        let rules = propose(&objects, &[], &known);
        rules_in_all += rules.len();
        let patterns: Vec<Pattern> = rules.iter().map(|rule| rule.path.parse().unwrap()).collect();
        for (index, pattern) in patterns.iter().enumerate() {
            let shadow = patterns[..index].iter().find(|earlier| earlier.covers(pattern));
            assert_eq!(shadow, None, "{pattern} {rules:?}");
        }
        for object in &objects {
            let index = patterns.iter().position(|pattern| pattern.matches(&object.path).is_some()).unwrap();
            assert!(index + 1 < rules.len(), "{} has no rule: {rules:?}", object.path);
            // A recipient that the object has is one of the rule's.
            let own = known.iter().find(|known| !known.keys.is_disjoint(&object.keys));
            let is_there = own.is_none_or(|own| rules[index].to.contains(&own.name));
            assert!(is_there, "{object:?} {:?}", rules[index]);
        }
    }
    // They aren't just the directories themselves.
    assert!(rules_in_all < 300 * 30, "{rules_in_all}");
}
