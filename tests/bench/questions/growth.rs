//! How a cost grows over items, recipients and keys. Over objects, it is with the controllers.
//!
//! Invariant: one count grows in each figure, and all others stay.

use seal_crds::format::Format;

use super::Bench;
use super::one::{secret, write_given};
use crate::figure::{Figure, KUBESEAL, Ratio, SEAL_BITNAMI, SEAL_NATIVE, Unit};
use crate::opening::{Keys, Opening, native, repeated};
use crate::programs::{peer, seconds};
use crate::sample::Takes;

const SEALED: &str = "seal, native, sealed";
const OPENED: &str = "seal, native, opened";

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let [sealing, opening] = over_items(bench);
    let figures = [sealing, opening, over_recipients(bench), over_keys(bench)];
    let grows = |figure: &Figure| -> Vec<Ratio> {
        figure.who().iter().filter_map(|who| figure.growth(who)).collect()
    };
    let mut ratios: Vec<Ratio> = figures.iter().flat_map(grows).collect();
    for ours in [SEAL_NATIVE, SEAL_BITNAMI] {
        ratios.extend(figures[0].versus(ours, KUBESEAL));
    }
    (figures.into(), ratios)
}

fn over_items(bench: &Bench) -> [Figure; 2] {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let dir = dir.path();
    write_given(dir);
    let mut sealing = Figure::new(
        "items-sealing",
        "A Secret with many items, the whole process",
        Unit::Milliseconds,
        Takes::Median,
        "items",
    );
    let mut opening = Figure::new("items-opening", "An object with many items, opened", Unit::Microseconds, Takes::Best, "items")
        .note("The native format opens one envelope with the private key, and then each item under its data key. The Bitnami format \
               has an RSA operation an item.");
    let (hybrid, rsa) = (Keys::hybrid(1), Keys::rsa(1));
    for items in bench.size.items {
        let file = dir.join("secret.yaml");
        std::fs::write(&file, secret("db", *items)).expect("the directory is ours");
        for _ in 0..bench.size.runs.div_ceil(4) {
            let mut native = bench.programs.seal(dir);
            sealing.add(SEAL_NATIVE, *items, 1000.0 * seconds(native.args(["-r", "prod.pub"]), Some(&file)));
            let mut bitnami = bench.programs.seal(dir);
            bitnami.args(["--seal-format", "bitnami", "--cert", "rsa.crt"]);
            sealing.add(SEAL_BITNAMI, *items, 1000.0 * seconds(&mut bitnami, Some(&file)));
            let mut kubeseal = peer("kubeseal", dir);
            kubeseal.args(["--kubeconfig", "/nonexistent", "--cert", "rsa.crt"]);
            sealing.add(KUBESEAL, *items, 1000.0 * seconds(&mut kubeseal, Some(&file)));
        }
        for (who, format, keys) in
            [(SEAL_NATIVE, Format::Native, &hybrid), (SEAL_BITNAMI, Format::Bitnami, &rsa)]
        {
            let object = Opening::new(format, keys, *items);
            for _ in 0..bench.size.rounds + 1 {
                opening.add(who, *items, repeated(bench.size.repeat, || object.open()));
            }
        }
    }
    [sealing, opening]
}

fn over_recipients(bench: &Bench) -> Figure {
    let title = "An object with two items for many recipients";
    let mut figure = Figure::new("recipients", title, Unit::Microseconds, Takes::Best, "recipients")
        .note("Each recipient is one more key that the data key is encrypted to. Whoever opens tries the one that a hint names first.");
    for count in bench.size.recipients {
        let keys = Keys::hybrid(1).and_recipients(count - 1);
        let object = Opening::new(Format::Native, &keys, 2);
        for _ in 0..bench.size.rounds + 1 {
            figure.add(SEALED, *count, repeated(bench.size.repeat, || drop(native(&keys, 2))));
            figure.add(OPENED, *count, repeated(bench.size.repeat, || object.open()));
        }
    }
    figure
}

fn over_keys(bench: &Bench) -> Figure {
    let title = "An object with two items, opened by the last of many keys";
    let mut figure = Figure::new("keys-held", title, Unit::Microseconds, Takes::Best, "keys")
        .note("Nothing in a Bitnami object says which key it was sealed to, so all before the right one are tried for the first item.");
    for count in bench.size.keys {
        for (who, format, keys) in [
            (SEAL_NATIVE, Format::Native, Keys::hybrid(*count)),
            (SEAL_BITNAMI, Format::Bitnami, Keys::rsa(*count)),
        ] {
            let object = Opening::new(format, &keys, 2);
            for _ in 0..bench.size.rounds + 1 {
                figure.add(who, *count, repeated(bench.size.repeat, || object.open()));
            }
        }
    }
    figure
}
