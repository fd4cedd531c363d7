//! Files that get other recipients: after a leak, or when a key is renewed.
//!
//! Ours does it with an identity at hand. kubeseal asks its controller, which opens and seals again, so it needs one:
//! in the cluster that a laptop reaches. age has no such command: a script opens and encrypts. Invariant: afterwards the
//! files are sealed to the other recipient.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::peer::Serving;
use serde_json::json;

use super::Bench;
use super::many::write;
use super::one::write_given;
use crate::cluster::objects::bitnami_key;
use crate::figure::{AGE, Figure, KUBESEAL, Ratio, SEAL_BITNAMI, SEAL_NATIVE, Unit};
use crate::programs::{peer, seconds};
use crate::sample::Takes;

const NAMESPACE: &str = "sealed-secrets";

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let (files, asked) = bench.size.files;
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let dir = dir.path();
    write_given(dir);
    let mut figure = Figure::new("rotate", "One of a thousand files, to other recipients", Unit::Milliseconds, Takes::Best, "files")
        .note(format!("The time for all, divided by their number. kubeseal was asked about {asked} files: each is a process that \
                       asks the controller through the API server."));
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let each = |seconds: f64, files: usize| seconds * 1000.0 / files as f64;
    for _ in 0..bench.size.rounds {
        let seal = |args: &[&str]| seconds(bench.programs.seal(dir).args(args), None);
        write(dir, files);
        seal(&["-r", "prod.pub", "-w", "./plain"]);
        let native = seal(&["rotate", "-i", "prod.key", "-r", "backup.pub", "./plain"]);
        figure.add(SEAL_NATIVE, files, each(native, files));

        write(dir, files);
        seal(&["--seal-format", "bitnami", "--cert", "rsa.crt", "-w", "./plain"]);
        let bitnami = seal(&["rotate", "-i", "rsa.key", "--cert", "other.crt", "./plain"]);
        figure.add(SEAL_BITNAMI, files, each(bitnami, files));

        figure.add(AGE, files, each(by_age(dir, files), files));
    }
    figure.add(KUBESEAL, files, each(by_kubeseal(bench, dir, asked), asked));
    let ratios = [(SEAL_NATIVE, KUBESEAL), (SEAL_BITNAMI, KUBESEAL), (SEAL_NATIVE, AGE)];
    let ratios = ratios.into_iter().flat_map(|(ours, theirs)| figure.versus(ours, theirs)).collect();
    (vec![figure], ratios)
}

/// Encrypts the files, and then opens each and encrypts it again: two processes a file, with a pipe between.
fn by_age(dir: &Path, files: usize) -> f64 {
    let plain = write(dir, files);
    for path in &plain {
        let mut age = peer("age", dir);
        seconds(age.args(["-R", "prod.pub", "-o"]).arg(path.with_extension("age")), Some(path));
    }
    let again = |path: &std::path::PathBuf| {
        let begun = std::time::Instant::now();
        let mut open = peer("age", dir);
        open.args(["-d", "-i", "prod.key"]).arg(path.with_extension("age")).stdout(Stdio::piped());
        let mut open = open.spawn().expect("age is built");
        let mut close = peer("age", dir);
        close.args(["-R", "backup.pub", "-o"]).arg(path.with_extension("again"));
        close.stdin(open.stdout.take().expect("it is piped"));
        let ends = [close.status(), open.wait()].map(|end| end.is_ok_and(|status| status.success()));
        assert_eq!(ends, [true, true], "age failed");
        begun.elapsed().as_secs_f64()
    };
    plain.iter().map(again).sum()
}

/// Has the real controller open each object and seal it again, as `kubeseal --re-encrypt` does.
fn by_kubeseal(bench: &Bench, dir: &Path, files: usize) -> f64 {
    let plane = ControlPlane::start_apart(&definitions()).unwrap_or_else(|why| panic!("{why}"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    plane.api().create("/api/v1/namespaces", &namespace).expect("the namespace is new");
    let [certificate, private] =
        ["rsa.crt", "rsa.key"].map(|file| fs::read_to_string(dir.join(file)).expect("it was written"));
    let key = bitnami_key(NAMESPACE, &certificate, &private);
    plane.api().create(&format!("/api/v1/namespaces/{NAMESPACE}/secrets"), &key).expect("the key is new");
    let _serving = Serving::theirs(&plane, NAMESPACE, &["--key-renew-period=0"]);
    let plain = write(dir, files);
    let mut seal = bench.programs.seal(dir);
    seconds(seal.args(["--seal-format", "bitnami", "--cert", "rsa.crt", "-w", "./plain"]), None);
    let ask = |path: &std::path::PathBuf| {
        let mut kubeseal = peer("kubeseal", dir);
        kubeseal.arg("--re-encrypt").arg(format!("--controller-namespace={NAMESPACE}"));
        kubeseal.arg("--kubeconfig").arg(plane.kubeconfig());
        seconds(&mut kubeseal, Some(path))
    };
    plain[..files].iter().map(ask).sum()
}
