//! Every test that needs more than one crate, or a program that isn't ours, in one binary.
//!
//! Where a new test goes: to the cheapest level that can see the behaviour. A pure function is tested beside its
//! code. A manifest and its result are a file in `vectors/`; a command line and its result are a file in `cli/`.
//! For everything else, there is a module here for each peer or subject:
//!
//! - [`vectors`]: both formats, held by static files
//! - [`age`]: envelopes, to and from the real age
//! - [`benchmark`]: that `make bench` works, in its small size
//! - [`bounds`]: what hostile text may cost either program, and what a crash of one leaves behind
//! - [`cases`]: the command line, held by the files in `cli/`
//! - [`certificate_url`]: the peer's certificate from a URL, over TLS and through proxies
//! - [`check`]: `seal check` in repositories of the real git
//! - [`check_repository`]: `seal check` over whole repositories, and a hostile pull request
//! - [`cluster`]: the controller on a real kube-apiserver
//! - [`conformance`]: the real sealed-secrets beside our programs, and in their place
//! - [`e2e`]: the shipped Deployment and its image in a real cluster, which only `make e2e` runs
//! - [`edit`]: items in the user's editor, and what an editor leaves behind
//! - [`end_to_end`]: the main job, by everything real
//! - [`endless`]: templates that never end, before the command line
//! - [`every_command`]: every command before the same faults
//! - [`files`]: what `seal` does to files and streams
//! - [`git`]: merges, diffs and conflicts, by the real git
//! - [`git_example`]: the files of `cli/git-example/` and of `.pre-commit-hooks.yaml`, run as their programs would
//! - [`gotemplate`]: Go templates, beside Go's own engine with the peer's functions
//! - [`hooks`]: what `seal hook` installs, run by the real git
//! - [`interrupted`]: Ctrl-C in a run over many files
//! - [`kubeseal`]: the command line of kubeseal, ours beside the real one
//! - [`many_keys`]: the peer's objects that would take too much work to open
//! - [`migrate`]: whole repositories from the peer's format to the native one
//! - [`plugin`]: kubectl's plugin, completions and manual pages, beside the real kubectl, bash and groff
//! - [`protected`]: identities under protection, beside the real age: passphrases, plugins, keys in hardware
//! - [`readme`]: README's commands, one after the other
//! - [`reformatted`]: items changed in files that yq, kustomize, kubectl or prettier wrote
//! - [`repository`]: what must hold of the repository itself
//! - [`set`]: items changed in their files, without a key
//! - [`rotate`]: whole repositories to other recipients
//! - [`round_trip`]: through `seal` and back, with the real kubectl as a second reader
//! - [`rules`]: `.seal.yaml` in real Git
//! - [`runbook`]: the commands of `keys-example/ROTATION.md`, one after the other
//! - [`terminal`]: `seal` before a person
//! - [`unchanged`]: sealing again without a change, beside the real Git
//! - [`unhelpful_cluster`]: clusters that don't give `seal` a recipient
//! - [`unquoted`]: what an unquoted word of YAML means, beside the real kubectl
//! - [`way`]: the way to a cluster, which is kubectl's
//!
//! Not here: fixtures and the support of the tests (`src/`), except for [`by_hand`], which is a second
//! implementation of the format and must stay apart from the first, and [`sandbox`], [`follow`] and [`kubelet`], which
//! need paths that Cargo tells integration tests only. Invariant: no test depends on another, nor on the order they run in.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions; here the functions they share are tests too"
)]

mod age;
mod benchmark;
mod bounds;
mod by_hand;
mod cases;
mod certificate_url;
mod check;
mod check_repository;
mod cluster;
mod conformance;
mod demo;
mod e2e;
mod edit;
mod end_to_end;
mod endless;
mod every_command;
mod files;
mod follow;
mod git;
mod git_example;
mod gotemplate;
mod hooks;
mod interrupted;
mod kubelet;
mod kubeseal;
mod many_keys;
mod migrate;
mod plugin;
mod protected;
mod readme;
mod reformatted;
mod repository;
mod rotate;
mod round_trip;
mod rules;
mod runbook;
mod sandbox;
mod set;
mod terminal;
mod unchanged;
mod unhelpful_cluster;
mod unquoted;
mod vectors;
mod way;
