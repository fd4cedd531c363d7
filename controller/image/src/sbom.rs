//! The bill of materials: a CycloneDX 1.6 document of what is linked into the program, and nothing else.
//!
//! Crates with licence, checksum of Cargo.lock, and which uses which; then what the compilers link in: Rust's own
//! library, glibc, and GCC's unwinder.
//!
//! Invariant: everything is in a fixed order and has no time but the source's, as the image itself.

use seal_image::Digest;
use serde_json::{Value, json};

use crate::ImageError;
use crate::build::{Built, answer};
use crate::cargo::Package;
use crate::lock::Lock;
use crate::source::Source;

/// The document, for the program in the image `name` with this digest.
pub(crate) fn write(
    built: &Built,
    source: &Source,
    program: &[u8],
    name: &str,
    digest: &Digest,
) -> Result<String, ImageError> {
    let lock = Lock::read(&built.root().join("Cargo.lock"))?;
    let controller = built.controller();
    let mut application = component("application", controller, None);
    application["hashes"] = json!([{"alg": "SHA-256", "content": Digest::of(program).hex()}]);
    application["properties"] = json!([{"name": "seal:image", "value": format!("{name}@{digest}")}]);

    let mut crates: Vec<_> = built.linked().filter(|package| package.id != controller.id).collect();
    crates.sort_by_key(|package| reference(package));
    let toolchain = toolchain()?;
    let linked: Vec<_> = crates
        .iter()
        .map(|it| component("library", it, lock.checksum(it)))
        .chain(toolchain.clone())
        .collect();

    let uses = |package: &Package| {
        let mut uses: Vec<_> = built.uses(package).map(reference).collect();
        uses.sort();
        uses.dedup();
        uses
    };
    // The compilers link their libraries into the program, not into a crate.
    let mut whole = uses(controller);
    whole.extend(toolchain.iter().filter_map(|it| it["bom-ref"].as_str().map(str::to_owned)));
    let mut graph = vec![json!({"ref": reference(controller), "dependsOn": whole})];
    graph.extend(crates.iter().map(|it| json!({"ref": reference(it), "dependsOn": uses(it)})));

    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": source.date.to_string(), "component": application},
        "components": linked,
        "dependencies": graph,
    });
    Ok(format!("{document:#}\n"))
}

fn reference(package: &Package) -> String {
    format!("{}@{}", package.name, package.version)
}

fn component(kind: &str, package: &Package, checksum: Option<&str>) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
    });
    if let Some(description) = &package.description {
        component["description"] = json!(description.trim());
    }
    if let Some(license) = &package.license {
        // Crates from before SPDX expressions separate alternatives by a slash.
        component["licenses"] = json!([{"expression": license.replace('/', " OR ").replace("  ", " ")}]);
    }
    if let Some(checksum) = checksum {
        // A crate of the registry. Ours are published nowhere, so they have no package URL.
        component["purl"] = json!(format!("pkg:cargo/{}@{}", package.name, package.version));
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

/// What the compilers add to every static program.
fn toolchain() -> Result<Vec<Value>, ImageError> {
    let rustc = answer("rustc", &["--version"])?;
    let glibc = answer("getconf", &["GNU_LIBC_VERSION"])?;
    let gcc = answer("cc", &["-dumpfullversion"])?;
    let version = |said: &str, at: usize| said.split_whitespace().nth(at).unwrap_or_default().to_owned();
    Ok([
        ("rust-std", version(&rustc, 1), "MIT OR Apache-2.0"),
        ("glibc", version(&glibc, 1), "LGPL-2.1-or-later"),
        ("libgcc", version(&gcc, 0), "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ]
    .into_iter()
    .map(|(name, version, license)| {
        json!({
            "type": "library",
            "bom-ref": format!("{name}@{version}"),
            "name": name,
            "version": version,
            "licenses": [{"expression": license}],
        })
    })
    .collect())
}

#[cfg(test)]
mod tests;
