//! `kubeseal`: the command line of Bitnami's sealed-secrets, for users whose scripts call it.
//!
//! ```text
//! flags ──► options ──► seal, raw, merge, remote, unseal ──► print ──► files
//! typed     parsed      read by schema, then act             as Go     written
//! ```
//!
//! Flags, input, output and exit codes are kubeseal's, byte for byte but for the ciphertext. Where kubeseal
//! is unsafe this differs, and `tests/kubeseal` lists every such case. The commands of `seal` itself are free
//! to be better than kubeseal's.
//!
//! Invariants:
//!
//! * Exit codes are kubeseal's and not `seal`'s: 0 for success, 1 for a failure, 2 for a wrong flag.
//! * All of the input is checked before anything is printed or written.

mod failure;
mod flags;
mod go_value;
mod merge;
mod namespace;
mod options;
mod print;
mod raw;
mod read;
mod remote;
mod schema;
mod seal;
mod sealed;
mod unseal;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use failure::KubesealError;
use flags::{FlagError, FlagValues};
use options::Options;
use seal_crds::keys::Certificate;
use seal_documents::source::Source;

use crate::files::input::Input;
use crate::files::output::{self, Privacy};
use crate::keys::certificate::{self, ReadCertificateError};
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// The version of kubeseal that flags and output follow. Scripts ask for it with `--version`.
const KUBESEAL_VERSION: &str = "v0.40.0";

/// The name that the program was called by, if that name is `kubeseal`.
pub(crate) fn called(program: Option<&OsString>) -> Option<String> {
    let program = program?;
    let is_it = Path::new(program).file_name().is_some_and(|name| name == "kubeseal");
    is_it.then(|| seal_foreign::path(Path::new(program)))
}

/// The list of flags, as `--help` prints it.
pub(crate) fn help(program: &str) -> String {
    flags::help(program)
}

/// Runs kubeseal with these arguments, which don't include the program's name.
pub(crate) fn main(program: &str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = args.into_iter().map(|arg| arg.into_string().map_err(|_| FlagError::NotText));
    let values = args
        .collect::<Result<Vec<_>, _>>()
        .and_then(|args| flags::parse(args, |name| std::env::var(name).ok()));
    let values = match values {
        Ok(values) => values,
        Err(error) => return refuse(program, error),
    };
    match run(program, &values) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::print_failure(&failure);
            ExitCode::from(1)
        }
    }
}

/// Prints that a flag is wrong, as kubeseal does: on standard output, after the list of all flags.
fn refuse(program: &str, error: FlagError) -> ExitCode {
    terminal::note(&flags::title(program));
    let text = format!("{}{}\n", flags::list(), seal_foreign::message(&error.to_string()));
    // If standard output is gone, the message has no reader.
    let _ = output::to_stdout(text.as_bytes());
    // If only standard error is a terminal, the user would see the title and no error; so the error is
    // printed there too.
    if terminal::stderr_is_terminal() && !terminal::stdout_is_terminal() {
        terminal::print_failure(&error.into());
    }
    ExitCode::from(2)
}

fn run(program: &str, values: &FlagValues) -> Result<(), Failure> {
    values.notes.iter().for_each(|note| terminal::note(note));
    if values.wants_help {
        return output::to_stdout(flags::help(program).as_bytes());
    }
    if values.is_set("version") {
        return output::to_stdout(format!("kubeseal version: {KUBESEAL_VERSION}\n").as_bytes());
    }
    if values.is_set("help") {
        return output::to_stdout(flags::help(program).as_bytes());
    }
    let options = Options::new(values)?;
    if !options.from_file.is_empty() && !options.is_raw {
        return Err(KubesealError::FromFileWithoutRaw.into());
    }
    let input = find_input(&options)?;
    if options.is_unseal {
        let secret = unseal::unseal(&options, &input.read()?)?;
        let text = print::objects([&secret], &options.format)?;
        return write(&options.output, text.bytes(), Privacy::Private);
    }
    if !options.private_keys.is_empty() && terminal::stderr_is_terminal() {
        terminal::warn("--recovery-private-key has no effect without --recovery-unseal", None);
    }
    if options.is_validate {
        return remote::validate(options, &input.read()?);
    }
    if options.is_reencrypt {
        let (format, output) = (options.format.clone(), options.output.clone());
        let sealed = remote::reencrypt(options, &input.read()?)?;
        return write(&output, print::objects(&sealed, &format)?.bytes(), Privacy::Public);
    }
    seal(options, &input)
}

/// Does everything that needs a certificate: fetch, merge, raw values, whole Secrets.
fn seal(mut options: Options, input: &Input) -> Result<(), Failure> {
    let (pem, from) = match &options.certificate {
        Some(location) => (certificate::load(location)?, location.clone()),
        None => {
            // `options` keeps the names, because the namespace is looked up in the same kubeconfig
            // afterwards.
            let access = options.access.split_off();
            let from = "the controller's certificate".to_owned();
            (certificate::fetch(access, &options.controller)?, from)
        }
    };
    if options.is_fetch {
        return write(&options.output, &pem, Privacy::Public);
    }
    let certificate = usable(&pem, &from)?;
    if let Some(into) = &options.merge_into {
        return merge::merge(&options, into, &source(input)?, &certificate);
    }
    if options.is_raw {
        return write(&options.output, raw::raw(&options, &certificate)?.as_bytes(), Privacy::Public);
    }
    let sealed = seal::seal(&options, &seal::Overrides::default(), &source(input)?, &certificate)?;
    write(&options.output, print::objects(&sealed, &options.format)?.bytes(), Privacy::Public)
}

fn usable(pem: &[u8], from: &str) -> Result<Certificate, Failure> {
    certificate::for_sealing(pem, from).map_err(|error| match error {
        ReadCertificateError::Expired { date, .. } => KubesealError::Expired(date).into(),
        other => other.into(),
    })
}

/// The input. A file is opened at once, so that a missing one is found before anything else is tried.
fn find_input(options: &Options) -> Result<Input, Failure> {
    match &options.input {
        Some(path) => {
            let failed = |error| KubesealError::SecretFile(path.clone(), error);
            drop(std::fs::File::open(path).map_err(failed)?);
            Ok(Input::File(path.clone()))
        }
        None => {
            if !options.is_raw && !options.is_fetch && terminal::stdin_is_terminal() {
                terminal::note("(tty detected: expecting json/yaml k8s resource in stdin)");
            }
            Ok(Input::Stdin)
        }
    }
}

/// The text of the Secrets. For input that isn't text, the error says that there are no Secrets, as
/// kubeseal's does.
fn source(input: &Input) -> Result<Source, Failure> {
    input.read().map_err(|failure| failure.under(&KubesealError::NoSecrets))
}

fn write(output: &Option<std::path::PathBuf>, bytes: &[u8], privacy: Privacy) -> Result<(), Failure> {
    match output {
        Some(path) => Ok(output::to_files(&[(path, bytes)], privacy)?),
        None => output::to_stdout(bytes),
    }
}
