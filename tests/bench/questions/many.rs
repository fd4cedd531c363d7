//! A thousand Secrets in as many files: what a migration, or a pipeline, waits for.
//!
//! Invariant: each program leaves a thousand sealed files.

use std::fs;
use std::path::Path;

use super::Bench;
use super::one::{programs, secret, write_given};
use crate::figure::{AGE, Figure, KUBESEAL, Ratio, SEAL_NATIVE, Unit};
use crate::programs::seconds;
use crate::sample::Takes;

/// One process for all files, as our program is used.
const AT_ONCE: &str = "seal, native, one process";

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let (files, _) = bench.size.files;
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    write_given(dir.path());
    let mut figure = Figure::new("many", "A thousand Secrets", Unit::Seconds, Takes::Best, "files")
        .note("kubeseal and age take one file a process. seal takes all at once; it is also run once for each file, to compare.");
    for _ in 0..bench.size.rounds {
        let plain = write(dir.path(), files);
        let mut seal = bench.programs.seal(dir.path());
        figure.add(AT_ONCE, files, seconds(seal.args(["-r", "prod.pub", "-w", "./plain"]), None));
        assert!(fs::read_to_string(&plain[0]).is_ok_and(|text| text.contains("kind: SealedSecret")));
        let plain = write(dir.path(), files);
        for index in [0, 4, 5] {
            let (who, _) = programs(&bench.programs, dir.path()).swap_remove(index);
            let each = plain.iter().map(|path| {
                let (_, mut command) = programs(&bench.programs, dir.path()).swap_remove(index);
                seconds(&mut command, Some(path))
            });
            figure.add(who, files, each.sum());
        }
    }
    let ratios = [(AT_ONCE, KUBESEAL), (AT_ONCE, AGE), (SEAL_NATIVE, KUBESEAL), (SEAL_NATIVE, AGE)];
    let ratios = ratios.into_iter().flat_map(|(ours, theirs)| figure.versus(ours, theirs)).collect();
    (vec![figure], ratios)
}

/// Writes so many Secrets into the folder `plain`.
pub(super) fn write(dir: &Path, files: usize) -> Vec<std::path::PathBuf> {
    let plain = dir.join("plain");
    fs::create_dir_all(&plain).expect("the directory is ours");
    let write = |index| {
        let path = plain.join(format!("s-{index}.yaml"));
        fs::write(&path, secret(&format!("s-{index}"), 2)).expect("the directory is ours");
        path
    };
    (0..files).map(write).collect()
}
