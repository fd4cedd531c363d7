//! `make image`: the container image of seal-controller as an archive, and its bill of materials beside it.
//!
//! Not a container runtime, and no client of a registry: `docker load`, `podman load`, `ctr images import` and
//! `skopeo copy` read the archive. The same image by a container build is `controller/Dockerfile`.
//!
//! Invariant: neither the clock nor a path of this machine is in what it writes.

mod build;
mod cargo;
mod lock;
mod sbom;
mod source;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use seal_image::Image;

use build::Built;
use source::Source;

/// Makes the container image of seal-controller and its bill of materials.
#[derive(Parser)]
struct Args {
    /// The image's name without a tag
    #[arg(long, default_value = "localhost/seal-controller")]
    name: String,
    /// The image's tag; the version in Cargo.toml if left out
    #[arg(long)]
    tag: Option<String>,
}

/// The reasons why there is no image.
#[derive(Debug, thiserror::Error)]
enum ImageError {
    #[error(
        "the host is {0}, and the image needs a Linux with glibc on x86_64 or aarch64: build it with controller/Dockerfile"
    )]
    Host(String),
    #[error("cannot run {program}: {error}")]
    Run { program: &'static str, error: io::Error },
    #[error("{0} failed; what it says is above")]
    Failed(&'static str),
    #[error("{program} says what this program can't read: {error}")]
    Answer { program: &'static str, error: String },
    #[error("SOURCE_DATE_EPOCH is {0:?}, not a number of seconds since 1970")]
    Epoch(String),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), ImageError> {
    let built = Built::new()?;
    let source = Source::of(built.root())?;
    let program = read(built.program())?;
    let version = &built.controller().version;
    let tag = args.tag.clone().unwrap_or_else(|| version.clone());
    let image = Image {
        name: &format!("{}:{tag}", args.name),
        architecture: built.architecture(),
        labels: source.labels(built.controller()),
        created: source.date,
        program: ("seal-controller", &program),
    };
    let (archive, digest) = image.archive();
    let sbom = sbom::write(&built, &source, &program, image.name, &digest)?;

    let dir = built.target_dir().join("image");
    fs::create_dir_all(&dir).map_err(|error| ImageError::File { path: dir.clone(), error })?;
    let stem = format!("seal-controller-{version}-{}", image.architecture);
    let (tar, bom) = (dir.join(format!("{stem}.tar")), dir.join(format!("{stem}.cdx.json")));
    write(&tar, &archive)?;
    write(&bom, sbom.as_bytes())?;
    let _ = writeln!(io::stdout(), "{} {digest}\n{}\n{}", image.name, tar.display(), bom.display());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    fs::read(path).map_err(|error| ImageError::File { path: path.to_owned(), error })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    fs::write(path, bytes).map_err(|error| ImageError::File { path: path.to_owned(), error })
}
