//! What git makes of two branches with the merge driver becomes a Secret in a cluster.
//!
//! Which merges are clean is tested in `git/merges.rs`. Invariant: the key is the controller's, so nobody else can have opened
//! what was merged.

use std::collections::BTreeMap;

use super::scene::Scene;
use crate::git::repo::{FILE, Repo};

#[test]
fn the_controller_opens_what_the_driver_merged_of_two_branches() {
    let (scene, _controller) = Scene::with_controller("merged");
    let repo = Repo::new();
    repo.sandbox.write("prod.pub", scene.recipient().recipient.to_string());
    repo.create_in(&scene.namespace, FILE, &["user", "old"]);
    repo.commit("seal");
    repo.branch("one", |repo| repo.set(FILE, "password", "one"));
    repo.branch("two", |repo| {
        repo.set(FILE, "token", "two");
        repo.rm(FILE, "old");
    });
    repo.git(["merge", "--quiet", "one"]);

    scene.plane.apply(&repo.text(FILE));
    scene.until_ready("db");
    let expected = [("password", "one"), ("token", "two"), ("user", "first-user")];
    let expected: BTreeMap<_, _> =
        expected.map(|(item, value)| (item.to_owned(), value.as_bytes().to_vec())).into();
    assert_eq!(scene.data("db"), expected);
}
