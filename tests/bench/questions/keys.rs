//! Opening an object, beside what the private key's operation alone costs in OpenSSL.
//!
//! In this process, without a cluster. Invariant: the objects are opened as the controller opens them, from the parsed
//! spec to all values.

use std::process::Command;

use seal_crds::format::Format;

use super::Bench;
use crate::figure::{Figure, OPENSSL, Ratio, Unit};
use crate::opening::{Keys, Opening, repeated};
use crate::sample::Takes;

const XWING: &str = "seal, native, X-Wing";
const X25519: &str = "seal, native, X25519";
const RSA_4096: &str = "seal, Bitnami, RSA-4096";
const OPENSSL_X25519: &str = "OpenSSL, X25519 alone";
const OPENSSL_RSA: &str = "OpenSSL, RSA-4096 alone";

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let mut figure = Figure::new("keys", "Opening an object with one item", Unit::Microseconds, Takes::Best, "item")
        .note("For OpenSSL: `openssl speed`, which repeats the operation of the private key alone. OpenSSL has ML-KEM since 3.5; \
               where it is older, X-Wing, which is ML-KEM-768 and X25519, has nothing to compare with.");
    let [hybrid, x25519, rsa] = [Keys::hybrid(1), Keys::x25519(), Keys::rsa(1)];
    let ours = [
        (XWING, Opening::new(Format::Native, &hybrid, 1)),
        (X25519, Opening::new(Format::Native, &x25519, 1)),
        (RSA_4096, Opening::new(Format::Bitnami, &rsa, 1)),
    ];
    for _ in 0..bench.size.rounds + 1 {
        for (who, opening) in &ours {
            figure.add(who, 1, repeated(bench.size.repeat, || opening.open()));
        }
        for (who, algorithm) in [(OPENSSL_X25519, "ecdhx25519"), (OPENSSL_RSA, "rsa4096")] {
            if let Some(microseconds) = openssl(algorithm) {
                figure.add(who, 1, microseconds);
            }
        }
    }
    if !figure.who().iter().any(|who| who.starts_with(OPENSSL)) {
        figure = figure.note("There was no OpenSSL on this machine.");
    }
    let ratios = [(X25519, OPENSSL_X25519), (XWING, OPENSSL_X25519), (RSA_4096, OPENSSL_RSA)];
    let ratios = ratios.into_iter().flat_map(|(ours, theirs)| figure.versus(ours, theirs)).collect();
    (vec![figure], ratios)
}

/// The microseconds that an operation of a private key takes in OpenSSL; `None` if there is no OpenSSL.
fn openssl(algorithm: &str) -> Option<f64> {
    let output = Command::new("openssl").args(["speed", "-mr", "-seconds", "1", algorithm]).output().ok()?;
    parsed(&String::from_utf8_lossy(&output.stdout))
}

/// Reads what `openssl speed -mr` says: `+F2:…:bits:private a second:public a second`, or `+F5:…:bits:a second:seconds`.
fn parsed(output: &str) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with("+F2:") || line.starts_with("+F5:"))?;
    let numbers: Vec<f64> = line.split(':').skip(3).filter_map(|number| number.parse().ok()).collect();
    // OpenSSL 3 gives operations a second; older ones gave the seconds of one.
    let first = *numbers.first()?;
    Some(if first > 1.0 { 1e6 / first } else { first * 1e6 })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_openssl_says_is_read() {
        let found = [
            "+R5:1\n+F5:22:253:22200.0:0.000045\n",
            "+F2:4:4096:179.0:10803.3\n",
            "+F2:4:4096:0.005:0.0001\n",
        ];
        let found = found.map(|output| super::parsed(output).unwrap().round());
        assert_eq!(found, [45.0, 5587.0, 5000.0]);
        assert_eq!(super::parsed("error"), None);
    }
}
